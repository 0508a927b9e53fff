//! What a browser says about a request: whether it opens a page, and whether one of our own pages asks (Fetch Metadata).

use std::fmt;

use http::header::{ACCEPT, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::host::Host;
use super::peer::Scheme;
use crate::text::list;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

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
    /// Checks that a page of this very origin sends the request, as far as the browser says: by `Sec-Fetch-Site`, else
    /// by `Origin`. `null` is nobody's origin, and whoever says nothing is not believed.
    ///
    /// # Errors
    /// What was compared.
    pub fn check_sender(&self, headers: &HeaderMap) -> Result<(), ForeignOrigin> {
        let (name, fits) = if headers.contains_key(SEC_FETCH_SITE) {
            let is_own = |site: &HeaderValue| site.as_bytes() == b"same-origin";
            let site = only(headers, &SEC_FETCH_SITE);
            (SEC_FETCH_SITE, site.is_some_and(is_own))
        } else {
            let is_own = |origin: &HeaderValue| self.is_named_by(origin.as_bytes());
            (ORIGIN, only(headers, &ORIGIN).is_some_and(is_own))
        };
        if fits {
            return Ok(());
        }
        let sent = headers.get_all(&name).iter().map(shown).collect();
        let own = self.url("").unwrap_or_default();
        Err(ForeignOrigin { name, sent, own })
    }

    /// Whether a browser says what kind of page sends the request.
    pub fn names_sender(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(ORIGIN)
    }

    /// Whether a page of this very origin sends the request.
    pub fn sends(&self, headers: &HeaderMap) -> bool {
        self.check_sender(headers).is_ok()
    }

    fn is_named_by(&self, origin: &[u8]) -> bool {
        let rest = origin
            .strip_prefix(self.scheme.as_str().as_bytes())
            .and_then(|rest| rest.strip_prefix(b"://"));
        rest.is_some_and(|host| host.eq_ignore_ascii_case(self.host.as_bytes()))
    }

    /// The host by itself; `None` where it is malformed.
    pub fn host_name(&self) -> Option<Host> {
        Host::of_field(&self.host)
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

/// A request that no page of this site sends, as far as the browser says. It prints what was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignOrigin {
    /// `Origin`, or `Sec-Fetch-Site`, which browsers send over TLS and to themselves.
    name: HeaderName,
    /// The values of that field.
    sent: Vec<String>,
    /// The origin of this site, as the gateway sees it.
    own: String,
}

impl ForeignOrigin {
    /// What whoever runs the site can do about it.
    pub fn advice(&self) -> &'static str {
        match &*self.sent {
            [origin] if self.name == ORIGIN && origin == "null" => {
                "Pages with `Referrer-Policy: no-referrer`, sandboxed frames and some extensions hide the origin of a form."
            }
            [_] if self.name == ORIGIN => {
                "If both are this site, a proxy in front of the gateway has to send `X-Forwarded-Host` and \
                 `X-Forwarded-Proto`, and to stand in `server.trusted_proxies`."
            }
            _ => "",
        }
    }
}

impl fmt::Display for ForeignOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name == ORIGIN {
            "Origin"
        } else {
            "Sec-Fetch-Site"
        };
        match &*self.sent {
            [] => f.write_str("the request has neither `Origin` nor `Sec-Fetch-Site`"),
            sent => write!(
                f,
                "the request has `{name}: {}`, and this site is `{}`",
                sent.join(", "),
                self.own
            ),
        }
    }
}

/// A value as pages and logs can hold it.
fn shown(value: &HeaderValue) -> String {
    const LONGEST: usize = 128;
    let text = String::from_utf8_lossy(value.as_bytes());
    text.chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect()
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

/// Whether a page sends it beside what a person opens: by a script, or for an image. Browsers without `Sec-Fetch-Mode`, and
/// all of them outside of TLS, say so of scripts whose library does.
pub fn is_of_page(headers: &HeaderMap) -> bool {
    let mode = only(headers, &SEC_FETCH_MODE).map(HeaderValue::as_bytes);
    let has_mode = mode.is_some() || headers.contains_key(SEC_FETCH_MODE);
    let by_library = || {
        let library = headers.get(X_REQUESTED_WITH).map(HeaderValue::as_bytes);
        library.is_some_and(|library| library.eq_ignore_ascii_case(b"XMLHttpRequest"))
    };
    (has_mode && mode != Some(b"navigate")) || by_library()
}

/// Whether a person sees the answer: a browser opens a page, or sends a form from one. Without `Sec-Fetch-Mode` that is
/// certain of what only reads.
pub fn is_seen(method: &Method, headers: &HeaderMap) -> bool {
    let mode = || match only(headers, &SEC_FETCH_MODE) {
        Some(mode) => mode.as_bytes() == b"navigate",
        None => {
            !headers.contains_key(SEC_FETCH_MODE) && matches!(*method, Method::GET | Method::HEAD)
        }
    };
    accepts_html(headers) && mode()
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
            let navigates = fields.contains(&("sec-fetch-mode", "navigate"));
            let seen = expected || (method == Method::HEAD && fields == [html]);
            assert_eq!(
                is_seen(&method, &headers(fields)),
                seen,
                "{method} {fields:?}"
            );
            let seen = expected && navigates;
            assert_eq!(is_seen(&Method::POST, &headers(fields)), seen, "{fields:?}");
        }
    }

    #[test]
    fn what_was_compared_is_said() {
        let site = Site {
            scheme: Scheme::Http,
            host: HeaderValue::from_static("app.test:8080"),
        };
        let proxy = "If both are this site, a proxy in front of the gateway has to send `X-Forwarded-Host` and \
                     `X-Forwarded-Proto`, and to stand in `server.trusted_proxies`.";
        let hidden = "Pages with `Referrer-Policy: no-referrer`, sandboxed frames and some extensions hide the origin of a form.";
        for (fields, expected, advice) in [
            (
                &[][..],
                "the request has neither `Origin` nor `Sec-Fetch-Site`",
                "",
            ),
            (
                &[("origin", "https://app.test")],
                "the request has `Origin: https://app.test`, and this site is `http://app.test:8080`",
                proxy,
            ),
            (
                &[("origin", "null")],
                "the request has `Origin: null`, and this site is `http://app.test:8080`",
                hidden,
            ),
            (
                &[("origin", "http://app.test:8080"), ("origin", "http://b")],
                "the request has `Origin: http://app.test:8080, http://b`, and this site is `http://app.test:8080`",
                "",
            ),
            (
                &[
                    ("origin", "http://app.test:8080"),
                    ("sec-fetch-site", "cross-site"),
                ],
                "the request has `Sec-Fetch-Site: cross-site`, and this site is `http://app.test:8080`",
                "",
            ),
        ] {
            let foreign = site.check_sender(&headers(fields)).unwrap_err();
            assert_eq!(
                (foreign.to_string().as_str(), foreign.advice()),
                (expected, advice)
            );
        }
    }
}
