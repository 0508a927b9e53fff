//! What a browser says about a request: whether it opens a page, and whether one of our own pages asks (Fetch Metadata).

use http::header::{ACCEPT, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::peer::Scheme;

use crate::text::list;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What a request is told that would change something in the name of a browser's session, and comes from elsewhere.
pub const CROSS_ORIGIN: &str = "The request comes from another site";

/// The scheme and host that the client asked: what a browser calls the origin of our pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// How the client came.
    pub scheme: Scheme,
    /// The `Host` that it sent, port included.
    pub host: HeaderValue,
}

impl Site {
    /// Whether a page of this very origin sends the request, as far as the browser says: by `Sec-Fetch-Site`, else by
    /// `Origin`. `null` is nobody's origin, and whoever says nothing is not believed.
    pub fn sends(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(SEC_FETCH_SITE) {
            return only(headers, &SEC_FETCH_SITE)
                .is_some_and(|site| site.as_bytes() == b"same-origin");
        }
        only(headers, &ORIGIN).is_some_and(|origin| self.is_named_by(origin.as_bytes()))
    }

    fn is_named_by(&self, origin: &[u8]) -> bool {
        let rest = origin
            .strip_prefix(self.scheme.as_str().as_bytes())
            .and_then(|rest| rest.strip_prefix(b"://"));
        rest.is_some_and(|host| host.eq_ignore_ascii_case(self.host.as_bytes()))
    }

    /// `https://host` and a path of it.
    pub fn url(&self, path: &str) -> Option<String> {
        Some(format!(
            "{}://{}{path}",
            self.scheme.as_str(),
            self.host.to_str().ok()?
        ))
    }
}

/// Whether a method asks for nothing to be changed (RFC 9110, section 9.2.1).
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a person opens a page: a GET that takes HTML, and a browser that says what it does says so.
pub fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let mode = !headers.contains_key(SEC_FETCH_MODE)
        || only(headers, &SEC_FETCH_MODE).is_some_and(|mode| mode.as_bytes() == b"navigate");
    *method == Method::GET && mode && accepts_html(headers)
}

/// Whether `Accept` names `text/html`; `*/*` is what programs say.
pub fn accepts_html(headers: &HeaderMap) -> bool {
    list::elements(headers, ACCEPT)
        .map(|range| range.split(|byte| *byte == b';'))
        .any(|mut parts| {
            let html = parts
                .next()
                .is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"text/html"));
            html && !parts.any(is_zero_weight)
        })
}

/// `q=0`, `q=0.0` and their kin: not acceptable (RFC 9110, section 12.4.2).
pub fn is_zero_weight(parameter: &[u8]) -> bool {
    let parameter = parameter.trim_ascii();
    let weight = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="));
    weight.is_some_and(|weight| {
        weight.starts_with(b"0") && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
    })
}

/// The value of a field that stands there once.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = fields.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn only_our_own_pages_are_the_same_origin() {
        let site = Site {
            scheme: Scheme::Https,
            host: HeaderValue::from_static("app.test:8443"),
        };
        for (fields, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                true,
            ),
            (&[("origin", "https://app.test:8443")], true),
            (&[("origin", "https://APP.test:8443")], true),
            (&[], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://app.test:8443"),
                ],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "same-origin"),
                ],
                false,
            ),
            (&[("origin", "null")], false),
            (&[("origin", "http://app.test:8443")], false),
            (&[("origin", "https://app.test")], false),
            (&[("origin", "https://app.test:8443.evil.test")], false),
            (
                &[
                    ("origin", "https://app.test:8443"),
                    ("origin", "https://evil.test"),
                ],
                false,
            ),
        ] {
            assert_eq!(site.sends(&headers(fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn people_open_pages_and_programs_do_not() {
        let html = (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        );
        for (method, fields, expected) in [
            (Method::GET, &[html][..], true),
            (Method::GET, &[html, ("sec-fetch-mode", "navigate")], true),
            (
                Method::GET,
                &[("accept", "application/json, TEXT/HTML;level=1")],
                true,
            ),
            (Method::HEAD, &[html], false),
            (Method::POST, &[html], false),
            (Method::GET, &[html, ("sec-fetch-mode", "cors")], false),
            (Method::GET, &[html, ("sec-fetch-mode", "no-cors")], false),
            (Method::GET, &[("accept", "*/*")], false),
            (Method::GET, &[("accept", "application/json")], false),
            (Method::GET, &[("accept", "text/html;q=0")], false),
            (Method::GET, &[("accept", "text/html; q=0.000, */*")], false),
            (Method::GET, &[("accept", "text/html;q=0.1")], true),
            (Method::GET, &[], false),
        ] {
            assert_eq!(
                is_navigation(&method, &headers(fields)),
                expected,
                "{method} {fields:?}"
            );
        }
    }
}
