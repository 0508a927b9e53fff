//! A renewed session on an answer of somebody else.

use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::text::list;

/// Adds a renewed session to an answer; not where caches between here and the browser were told to keep the answer for
/// everybody: they would keep the session with it.
pub fn add_renewal(headers: &mut HeaderMap, session: HeaderValue) {
    let directives = |name: &str| {
        list::elements(headers, CACHE_CONTROL).any(|directive| {
            let directive = directive
                .split(|byte| *byte == b'=')
                .next()
                .unwrap_or_default();
            directive.eq_ignore_ascii_case(name.as_bytes())
        })
    };
    if directives("public") || directives("s-maxage") {
        return;
    }
    if !directives("private") && !directives("no-store") {
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    headers.append(SET_COOKIE, session);
}
