//! Where a browser goes after the sign-in: a path of this very origin, and nothing that any browser could read as more.

use crate::access::{PathOptions, RequestPath};
use crate::text::percent;

/// The most bytes of a way back; a longer one is forgotten.
const LONGEST: usize = 2048;

/// A path, with its query, to which a browser may be sent. It starts with one `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// The way back to a request: the path as it was decided on, and its query.
    pub fn to(path: &RequestPath, query: Option<&str>) -> Option<Self> {
        match query {
            // in a query they mean the same encoded, and cannot be taken for the start of another address
            Some(query) => Self::parse(&format!(
                "{path}?{}",
                query
                    .replace('/', "%2F")
                    .replace('\\', "%5C")
                    .replace(':', "%3A")
            )),
            None => Self::parse(path.as_str()),
        }
    }

    /// Reads what a client says. Everything that could lead elsewhere is refused: other origins in any spelling, paths
    /// that can be read in two ways, and whatever is not ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        if text.len() > LONGEST
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
            || text.contains('#')
        {
            return None;
        }
        let parsed = RequestPath::parse(path, PathOptions::default()).ok()?;
        let sound = starts_like_a_path(parsed.as_str()) && query.is_none_or(is_plain_query);
        sound.then(|| match query {
            Some(query) => Self(format!("{parsed}?{query}")),
            None => Self(parsed.as_str().to_owned()),
        })
    }

    /// The path, with its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as the value of a query parameter.
    pub fn encoded(&self) -> String {
        const PLAIN: &[u8] = b"-._~/";
        let mut encoded = String::with_capacity(self.0.len() + 16);
        percent::encode_into(&mut encoded, &self.0, |byte| {
            byte.is_ascii_alphanumeric() || PLAIN.contains(&byte)
        });
        encoded
    }
}

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

/// A first segment like `javascript:x` or `.example.com` is harmless behind a slash, and not behind the mistake of
/// whoever puts something in front of it.
fn starts_like_a_path(path: &str) -> bool {
    let first = path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    path.starts_with('/')
        && !path.starts_with("//")
        && !first.starts_with(['.', '@'])
        && !first.contains(':')
}

/// Redirects are chained: what comes behind the `?` may be where the next page sends the browser.
fn is_plain_query(query: &str) -> bool {
    !query.contains("//") && !query.contains(['\\', '<', '>', '"', '\'']) && !query.contains(":/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_origin_are_kept() {
        for (text, expected) in [
            ("/", "/"),
            ("/jobs", "/jobs"),
            ("/jobs/7?tab=1&x=%2F%2Fa", "/jobs/7?tab=1&x=%2F%2Fa"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/%6Aobs", "/jobs"),
            ("/a/b:c", "/a/b:c"),
            ("/jobs?", "/jobs?"),
        ] {
            assert_eq!(
                ReturnPath::parse(text).as_ref().map(ReturnPath::as_str),
                Some(expected),
                "{text}"
            );
        }
        assert_eq!(ReturnPath::default().as_str(), "/");
    }

    /// In the spellings that have opened other gateways.
    #[test]
    fn nothing_leads_elsewhere() {
        for text in [
            "",
            "jobs",
            "http://evil.test",
            "https:evil.test",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "\\\\evil.test",
            "/\\/evil.test/",
            "/%5cevil.test",
            "/%2fevil.test",
            "/%2f%2fevil.test",
            "/%09/evil.test",
            "/\t/evil.test",
            "/\u{a0}/evil.test",
            " //evil.test",
            "/ /evil.test",
            "/\r\nSet-Cookie: a=b",
            "/%0d%0aSet-Cookie:a=b",
            "/.evil.test",
            "/@evil.test",
            "/./evil.test",
            "/..//evil.test",
            "/a/../../evil.test",
            "/a//evil.test",
            "/;@evil.test",
            "/http://evil.test",
            "/http:/evil.test",
            "/https:evil.test",
            "/javascript:alert(1)",
            "javascript:alert(1)",
            "data:text/html,x",
            "/〱evil.test",
            "/。evil.test",
            "/<>//evil.test",
            "/redirect?url=//evil.test",
            "/redirect?url=/\\/evil.test",
            "/redirect?url=https://evil.test",
            "/jobs#//evil.test",
            "/%",
            "/%252f%252fevil.test",
        ] {
            assert_eq!(ReturnPath::parse(text), None, "{text:?}");
        }
        assert_eq!(
            ReturnPath::parse(&format!("/{}", "a".repeat(LONGEST))),
            None
        );
    }

    proptest::proptest! {
        /// As a browser reads it against this origin: a path, and nothing before it.
        #[test]
        fn whatever_is_kept_is_a_path(text in "[/\\\\a.:@?#%&=;0-9A-Fx〱 \t]{0,24}") {
            if let Some(next) = ReturnPath::parse(&text) {
                let kept = next.as_str();
                proptest::prop_assert!(kept.starts_with('/') && !kept.starts_with("//"), "{}", kept);
                proptest::prop_assert!(!kept.contains(['\\', '#', ' ', '\t']) && kept.is_ascii(), "{}", kept);
                proptest::prop_assert_eq!(ReturnPath::parse(kept), Some(next.clone()), "reading it again changes nothing");
                let uri: http::Uri = kept.parse().unwrap();
                proptest::prop_assert!(uri.authority().is_none() && uri.scheme().is_none(), "{}", kept);
            }
        }
    }

    #[test]
    fn a_request_is_come_back_to() {
        let next = |path: &str, query| {
            let path = RequestPath::parse(path, PathOptions::default()).unwrap();
            ReturnPath::to(&path, query).map(|next| (next.as_str().to_owned(), next.encoded()))
        };
        let some = |plain: &str, encoded: &str| Some((plain.to_owned(), encoded.to_owned()));
        assert_eq!(next("/jobs", None), some("/jobs", "/jobs"));
        assert_eq!(
            next("/jobs", Some("a=1&b=é")),
            None,
            "a query that is no query"
        );
        assert_eq!(next("/jobs", Some("a=1&b=x y")), None);
        assert_eq!(
            next("/jobs", Some("to=https://a/b&c")),
            some(
                "/jobs?to=https%3A%2F%2Fa%2Fb&c",
                "/jobs%3Fto%3Dhttps%253A%252F%252Fa%252Fb%26c"
            )
        );
        assert_eq!(next("/.hidden", None), None);
    }
}
