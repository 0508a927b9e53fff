//! How long fetched keys are good for.

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

use crate::text::list;

/// Keys are asked for no more often than this, unless a token names a key that nobody knows.
pub(super) const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// A key that was taken back is believed for no longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What `Cache-Control` says (RFC 9111, section 5.2), within bounds; the least where it says nothing, or where a line is
/// no text: what else that one says cannot lengthen it.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let mut age = Duration::ZERO;
    for directive in list::elements(headers, CACHE_CONTROL) {
        let directive = std::str::from_utf8(directive).ok();
        let Some(directive) = directive.filter(|text| text.is_ascii()) else {
            return SHORTEST;
        };
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return SHORTEST;
        }
        if name.eq_ignore_ascii_case("max-age") {
            age = value
                .trim_matches('"')
                .parse()
                .map_or(Duration::ZERO, Duration::from_secs);
        }
    }
    age.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_the_issuer_says_counts_within_bounds() {
        for (line, seconds) in [
            ("", 300),
            ("max-age=60", 300),
            ("public, max-age=3600, must-revalidate", 3600),
            ("Max-Age=\"7200\"", 7200),
            ("max-age=99999999", 86_400),
            ("max-age=-1", 300),
            ("max-age=99999999999999999999999", 300),
            ("max-age=3600, no-store", 300),
            ("no-cache", 300),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{line}");
        }
        assert_eq!(lifetime(&HeaderMap::new()), SHORTEST);
    }

    #[test]
    fn a_line_that_is_no_text_is_not_as_if_it_were_absent() {
        let mut headers = HeaderMap::new();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
        assert_eq!(lifetime(&headers), LONGEST);
        let unreadable = HeaderValue::from_bytes(b"no-store, x=\"\xff\"").unwrap();
        headers.append(CACHE_CONTROL, unreadable);
        assert_eq!(lifetime(&headers), SHORTEST);
    }
}
