//! Where in the claims of a token a value is: `roles`, `realm_access.roles`, `resource_access."my.client".roles`.

use std::fmt;

use serde_json::{Map, Value};

/// Where in the claims of a token a value is: the name of a claim, and with dots after it names within its value. A name
/// that holds dots is written in quotes. A text without quotes may be meant as one name with dots: a claim of that very
/// name is preferred to one that is nested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    /// From the outermost; at least one.
    names: Vec<Box<str>>,
    /// All of the text as one name, where it has dots and no quotes.
    literal: Option<Box<str>>,
}

/// Why a text is no path of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimPathError {
    /// There is nothing before, between or after dots.
    EmptyName,
    /// A quote without its counterpart, or with something else than a dot beside it.
    Quotes,
}

impl ClaimPath {
    /// A claim of this very name.
    pub fn of(name: &str) -> Self {
        Self {
            names: vec![name.into()],
            literal: None,
        }
    }

    /// Reads `name.name."name with dots"`.
    ///
    /// # Errors
    /// [`ClaimPathError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or(ClaimPathError::Quotes)?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if name.is_empty() {
                return Err(ClaimPathError::EmptyName);
            }
            if name.contains('"') {
                return Err(ClaimPathError::Quotes);
            }
            names.push(name.into());
            if after.is_empty() {
                break;
            }
            rest = after.strip_prefix('.').ok_or(ClaimPathError::Quotes)?;
        }
        let literal = (names.len() > 1 && !text.contains('"')).then(|| text.into());
        Ok(Self { names, literal })
    }

    /// The value at this place.
    pub fn find<'v>(&self, claims: &'v Map<String, Value>) -> Option<&'v Value> {
        let literal = self.literal.as_ref().and_then(|name| claims.get(&**name));
        literal.or_else(|| {
            let (first, nested) = self.names.split_first()?;
            let first = claims.get(&**first)?;
            nested
                .iter()
                .try_fold(first, |value, name| value.get(&**name))
        })
    }

    /// Puts a value there. What stands in its way, a value that is no map, is replaced.
    pub(super) fn set(&self, claims: &mut Map<String, Value>, value: Value) {
        let (names, last) = match self.written_names() {
            [names @ .., last] => (names, last),
            [] => return,
        };
        let mut map = claims;
        for name in names {
            let slot = map.entry(&**name).or_insert(Value::Null);
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            match slot {
                Value::Object(inner) => map = inner,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => return,
            }
        }
        map.insert(last.to_string(), value);
    }

    /// The claim that holds the value, where one is written to this place.
    pub fn written_claim(&self) -> &str {
        self.written_names().first().map_or("", |name| name)
    }

    /// A name with dots that is part of a URL is one name: a place to write to must be one place.
    fn written_names(&self) -> &[Box<str>] {
        match &self.literal {
            Some(literal) if is_of_url(literal) => std::slice::from_ref(literal),
            Some(_) | None => &self.names,
        }
    }

    /// Another spelling, where dots may well belong to a name: after a URL, and where there are three names and more, of
    /// which one is that of a client or a host with many an issuer. `None` where the meaning is clear.
    pub fn alternative(&self) -> Option<String> {
        let literal = self.literal.as_ref()?;
        let (before, last) = literal.rsplit_once('.')?;
        let [first, middle @ .., _] = self.names.as_slice() else {
            return None;
        };
        match middle {
            // the dots of a host belong to its URL
            _ if is_of_url(last) => None,
            _ if is_of_url(before) => Some(format!("\"{before}\".{last}")),
            [] => None,
            // what Keycloak says of a client whose name has no dots
            [_] if &**first == "resource_access" => None,
            [_] => Some(format!("\"{before}\".{last}")),
            several => Some(format!("{first}.\"{}\".{last}", several.join("."))),
        }
    }
}

fn is_of_url(text: &str) -> bool {
    text.contains([':', '/'])
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            if name.contains('.') {
                write!(f, "{dot}\"{name}\"")?;
            } else {
                write!(f, "{dot}{name}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ClaimPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyName => "a name is empty",
            Self::Quotes => "a quote is not closed, or stands inside of a name",
        })
    }
}

impl std::error::Error for ClaimPathError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_found_under_literal_nested_and_quoted_names() {
        let claims = json!({
            "roles": 1, "realm_access": { "roles": 2 }, "https://ns/roles": 3, "deep.er": 4, "deep": { "er": 5 },
            "https://example.com/claims": { "roles": 6 },
            "resource_access": { "my.client": { "roles": 7 }, "my": { "client": { "roles": 8 } } },
            "a b": { "c": 9 }, "x": [ { "y": 10 } ]
        });
        for (path, expected) in [
            ("roles", json!(1)),
            ("\"roles\"", json!(1)),
            ("realm_access.roles", json!(2)),
            ("\"realm_access.roles\"", json!(null)),
            ("https://ns/roles", json!(3)),
            ("deep.er", json!(4)),
            ("\"deep\".er", json!(5)),
            ("\"deep.er\"", json!(4)),
            ("https://example.com/claims.roles", json!(null)),
            ("\"https://example.com/claims\".roles", json!(6)),
            ("resource_access.\"my.client\".roles", json!(7)),
            ("resource_access.my.client.roles", json!(8)),
            ("a b.c", json!(9)),
            ("x.0.y", json!(null)),
            ("roles.none", json!(null)),
        ] {
            let parsed = ClaimPath::parse(path).unwrap();
            let found = parsed.find(claims.as_object().unwrap());
            assert_eq!(found.cloned().unwrap_or_default(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, error) in [
            ("", ClaimPathError::EmptyName),
            (".", ClaimPathError::EmptyName),
            ("a.", ClaimPathError::EmptyName),
            (".a", ClaimPathError::EmptyName),
            ("a..b", ClaimPathError::EmptyName),
            ("\"\"", ClaimPathError::EmptyName),
            ("\"a", ClaimPathError::Quotes),
            ("a\"b", ClaimPathError::Quotes),
            ("a\"b\"", ClaimPathError::Quotes),
            ("\"a\"b", ClaimPathError::Quotes),
            ("\"a\"\"b\"", ClaimPathError::Quotes),
        ] {
            assert_eq!(ClaimPath::parse(path), Err(error), "{path}");
        }
    }

    #[test]
    fn a_value_is_put_where_it_is_found_again() {
        for (path, expected) in [
            ("roles", json!({ "roles": 1, "a": { "b": 2 } })),
            ("a.c", json!({ "a": { "b": 2, "c": 1 } })),
            ("a.b.c", json!({ "a": { "b": { "c": 1 } } })),
            ("\"a.c\".d", json!({ "a": { "b": 2 }, "a.c": { "d": 1 } })),
            (
                "https://ns.example.com/roles",
                json!({ "a": { "b": 2 }, "https://ns.example.com/roles": 1 }),
            ),
        ] {
            let parsed = ClaimPath::parse(path).unwrap();
            let mut claims = json!({ "a": { "b": 2 } });
            parsed.set(claims.as_object_mut().unwrap(), json!(1));
            assert_eq!(claims, expected, "{path}");
            let found = parsed.find(claims.as_object().unwrap());
            assert_eq!(found, Some(&json!(1)), "{path}");
            assert!(claims.get(parsed.written_claim()).is_some(), "{path}");
        }
    }

    #[test]
    fn another_spelling_is_proposed_where_dots_may_belong_to_a_name() {
        for (path, expected) in [
            ("roles", None),
            ("realm_access.roles", None),
            ("resource_access.jobs.roles", None),
            (
                "resource_access.my.client.roles",
                Some("resource_access.\"my.client\".roles"),
            ),
            (
                "resource_access.com.example.jobs.roles",
                Some("resource_access.\"com.example.jobs\".roles"),
            ),
            ("com.example.roles", Some("\"com.example\".roles")),
            ("com.\"example\".roles", None),
            ("resource_access.\"my.client\".roles", None),
            (
                "https://example.com/claims.roles",
                Some("\"https://example.com/claims\".roles"),
            ),
            ("https://example.com/roles", None),
            ("\"https://example.com/roles\"", None),
            ("https://ns/roles", None),
        ] {
            let parsed = ClaimPath::parse(path).unwrap();
            assert_eq!(parsed.alternative().as_deref(), expected, "{path}");
            if let Some(other) = parsed.alternative() {
                let other = ClaimPath::parse(&other).unwrap();
                assert_eq!(other.alternative(), None);
                assert_eq!(ClaimPath::parse(&other.to_string()), Ok(other));
            }
        }
    }
}
