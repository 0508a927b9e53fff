//! Where a browser goes after the sign-in: a path of this very origin, and nothing that any browser could read as more.

use crate::access::{PathOptions, RequestPath};
use crate::text::percent;

/// The most bytes of a way back; a longer one is forgotten.
const LONGEST: usize = 2048;

/// A path, with its query, to which a browser may be sent. It starts with one `/`, behind which is neither another one nor
/// a `\`: to every browser it is a path of the origin that sends it (WHATWG URL, "path absolute" states).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// The way back to a request: the path as its service reads it, and its query.
    pub fn to(path: &RequestPath, query: Option<&str>) -> Option<Self> {
        // what the service accepts, it was read with
        const ANY: PathOptions = PathOptions {
            allow_encoded_slash: true,
            allow_encoded_reserved: true,
            allow_semicolon: true,
            merge_slashes: false,
        };
        match query {
            // in a query they mean the same encoded, and cannot be taken for the start of another address
            Some(query) => {
                let query = query
                    .replace('/', "%2F")
                    .replace('\\', "%5C")
                    .replace(':', "%3A");
                Self::parse(&format!("{path}?{query}"), ANY)
            }
            None => Self::parse(path.as_str(), ANY),
        }
    }

    /// Reads what a client says. Everything that could lead elsewhere is refused: other origins in any spelling, paths
    /// that can be read in two ways and that no service accepts all the same, and whatever is not ASCII.
    pub fn parse(text: &str, options: PathOptions) -> Option<Self> {
        // two slashes at the start are a host to every browser
        let options = PathOptions {
            merge_slashes: false,
            ..options
        };
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
        let parsed = RequestPath::parse(path, options).ok()?;
        query.is_none_or(is_plain_query).then(|| match query {
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

/// Redirects are chained: what comes behind the `?` may be where the next page sends the browser.
fn is_plain_query(query: &str) -> bool {
    !query.contains("//") && !query.contains(['\\', '<', '>', '"', '\'']) && !query.contains(":/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: PathOptions = PathOptions {
        allow_encoded_slash: false,
        allow_encoded_reserved: false,
        allow_semicolon: false,
        merge_slashes: false,
    };

    const WIDEST: PathOptions = PathOptions {
        allow_encoded_slash: true,
        allow_encoded_reserved: true,
        allow_semicolon: true,
        merge_slashes: true,
    };

    fn read(text: &str, options: PathOptions) -> Option<String> {
        ReturnPath::parse(text, options).map(|next| next.as_str().to_owned())
    }

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
            // what is no path to a browser begins with more than one `/`
            ("/@rita", "/@rita"),
            ("/@rita/7", "/@rita/7"),
            (
                "/.well-known/change-password",
                "/.well-known/change-password",
            ),
            ("/.evil.test", "/.evil.test"),
            ("/v1:batch?x=1", "/v1:batch?x=1"),
            ("/https:evil.test", "/https:evil.test"),
            ("/javascript:alert(1)", "/javascript:alert(1)"),
        ] {
            assert_eq!(read(text, STRICT).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_services_allow_is_kept_where_one_does() {
        let options = |name: &str| PathOptions {
            allow_encoded_slash: name == "slash",
            allow_encoded_reserved: name == "reserved",
            allow_semicolon: name == "semicolon",
            merge_slashes: name == "merge",
        };
        for (text, needs) in [
            ("/projects/group%2Fname", "slash"),
            ("/a%5Cb/%23%3F%3B", "reserved"),
            ("/items;v=1/7", "semicolon"),
        ] {
            assert_eq!(read(text, options(needs)).as_deref(), Some(text), "{text}");
            assert_eq!(read(text, WIDEST).as_deref(), Some(text), "{text}");
            assert_eq!(read(text, STRICT), None, "{text}");
        }
        assert_eq!(read("//a", options("merge")), None);
        assert_eq!(read("/a//b", options("merge")), None);
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
            "/%09/evil.test",
            "/\t/evil.test",
            "/\u{a0}/evil.test",
            " //evil.test",
            "/ /evil.test",
            "/\r\nSet-Cookie: a=b",
            "/%0d%0aSet-Cookie:a=b",
            "/./evil.test",
            "/..//evil.test",
            "/a/../../evil.test",
            "/a//evil.test",
            "/http://evil.test",
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
            assert_eq!(read(text, STRICT), None, "{text:?}");
            assert_eq!(read(text, WIDEST), None, "{text:?}");
        }
        for text in [
            "/%5cevil.test",
            "/%2fevil.test",
            "/%2f%2fevil.test",
            "/;@evil.test",
        ] {
            assert_eq!(read(text, STRICT), None, "{text:?}");
        }
        assert_eq!(read(&format!("/{}", "a".repeat(LONGEST)), WIDEST), None);
    }

    proptest::proptest! {
        /// As a browser reads it (WHATWG URL): the origin of the page, its path and query, and nothing lost.
        #[test]
        fn whatever_is_kept_is_of_this_origin(text in "[/\\\\a.:@?#%&=;0-9A-Fx〱 \t]{0,24}", wide: bool) {
            let options = if wide { WIDEST } else { STRICT };
            if let Some(next) = ReturnPath::parse(&text, options) {
                let kept = next.as_str();
                let base = url::Url::parse("https://app.test:8443/auth/login?next=x").unwrap();
                let read = base.join(kept).unwrap();
                proptest::prop_assert_eq!(read.origin(), base.origin(), "{}", kept);
                proptest::prop_assert!(read.username().is_empty() && read.password().is_none(), "{}", kept);
                proptest::prop_assert_eq!(&read[url::Position::BeforePath..], kept);
                proptest::prop_assert_eq!(ReturnPath::parse(kept, options), Some(next.clone()), "reading it again changes nothing");
            }
        }
    }

    #[test]
    fn a_request_is_come_back_to() {
        let next = |path: &str, query| {
            let path = RequestPath::parse(path, WIDEST).unwrap();
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
        assert_eq!(next("/@rita", None), some("/@rita", "/%40rita"));
        assert_eq!(next("/a%2Fb;c", None), some("/a%2Fb;c", "/a%252Fb%3Bc"));
    }
}
