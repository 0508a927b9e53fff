//! What a request to the API asks for, beyond its path.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::text::percent;

/// The parameters of a query, each at most once.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the part behind the `?`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&key) {
                let known = known
                    .iter()
                    .map(|key| format!("`{key}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(format!(
                    "a parameter that is not known here; known: {known}"
                ));
            }
            let value = percent::decode_form(value.as_bytes())
                .ok_or_else(|| format!("`{key}` is not percent-encoded UTF-8"))?;
            let before = query.0.insert(key.to_owned(), value.to_string());
            if before.is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        Ok(query)
    }

    /// A text; empty where it is not given.
    pub(super) fn text(&self, key: &str) -> &str {
        self.0.get(key).map(String::as_str).unwrap_or_default()
    }

    /// A whole number, `default` where it is not given.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn number<T: FromStr>(&self, key: &str, default: T) -> Result<T, String> {
        let text = self.text(key);
        if text.is_empty() {
            Ok(default)
        } else {
            text.parse()
                .map_err(|_| format!("`{key}` is a whole number"))
        }
    }

    /// `limit`: the number of entries in a list, at least one and at most `most`.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, String> {
        Ok(self.number("limit", default)?.clamp(1, most))
    }

    /// One of several words, the first where it is not given.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text(key);
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .or(choices.first().filter(|_| text.is_empty()));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names = choices
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            format!("`{key}` is one of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_once_and_decoded() {
        let query = Query::parse(
            "q=a%20b+%C3%BC&limit=7&&show=denied",
            &["q", "limit", "show", "offset"],
        )
        .unwrap();
        assert_eq!(
            (
                query.text("q"),
                query.number("limit", 50),
                query.number("offset", 3)
            ),
            ("a b ü", Ok(7), Ok(3))
        );
        let choices = [("all", 0), ("denied", 1)];
        assert_eq!(
            (
                query.choice("show", &choices),
                query.choice("offset", &choices)
            ),
            (Ok(1), Ok(0))
        );
        assert_eq!(
            query.choice("q", &choices),
            Err("`q` is one of `all`, `denied`".to_owned())
        );
        assert_eq!(
            query.number::<usize>("q", 0),
            Err("`q` is a whole number".to_owned())
        );
        for (wrong, said) in [
            ("x=1", "a parameter that is not known here; known: `q`"),
            ("q=1&q=2", "`q` is given twice"),
            ("q=%C3", "`q` is not percent-encoded UTF-8"),
            ("q=%4", "`q` is not percent-encoded UTF-8"),
        ] {
            assert_eq!(Query::parse(wrong, &["q"]).unwrap_err(), said, "{wrong}");
        }
    }
}
