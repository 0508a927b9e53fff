//! Who may look, and who may change something.
//!
//! A browser is the danger: pages of other sites can make it send requests to the loopback address. What they cannot do
//! is to know the token, or to be called by an address. So without a token the host must be an address or `localhost`
//! (a name could be one that was pointed here, DNS rebinding), and nothing can be changed at all.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::AdminToken;
use crate::wire::{CROSS_ORIGIN, Scheme, Site, only};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It calls the gateway by a name, and there is no token.
    Host,
    /// It does not show the token.
    NoToken,
    /// It shows another one.
    WrongToken,
    /// There is no token, and so nothing can be changed.
    ReadOnly,
    /// Another site's page sends it.
    Foreign,
    /// Its body is not JSON.
    NotJson,
}

impl Refusal {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Host => {
                "without `admin.token` this listener answers to its address and to `localhost` only, so that no other \
                 site's name can be pointed here; use the address, or set `admin.token`"
            }
            Self::NoToken => {
                "send `Authorization: Bearer` with the `admin.token` of the configuration"
            }
            Self::WrongToken => "this is not the `admin.token` of the configuration",
            Self::ReadOnly => {
                "this listener is read-only; set `admin.token` in the configuration to change something"
            }
            Self::Foreign => CROSS_ORIGIN,
            Self::NotJson => "send `Content-Type: application/json`",
        }
    }
}

/// Whether the request may open the page itself, which says nothing yet.
pub(super) fn may_open(headers: &HeaderMap, token: Option<&AdminToken>) -> Result<(), Refusal> {
    match token {
        Some(_) => Ok(()),
        None if is_address(headers) => Ok(()),
        None => Err(Refusal::Host),
    }
}

/// Whether the request may see what the page shows.
pub(super) fn may_look(headers: &HeaderMap, token: Option<&AdminToken>) -> Result<(), Refusal> {
    may_open(headers, token)?;
    token.map_or(Ok(()), |token| shows(headers, token))
}

/// Whether the request may change something.
pub(super) fn may_change(headers: &HeaderMap, token: Option<&AdminToken>) -> Result<(), Refusal> {
    shows(headers, token.ok_or(Refusal::ReadOnly)?)?;
    // a browser says who sends it; a program does not have to
    let from_browser = headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(ORIGIN);
    if from_browser && !is_own_page(headers) {
        return Err(Refusal::Foreign);
    }
    let kind = only(headers, &CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::NotJson)
    }
}

fn is_own_page(headers: &HeaderMap) -> bool {
    let site = |host: &HeaderValue| Site {
        scheme: Scheme::Http,
        host: host.clone(),
    };
    only(headers, &HOST).is_some_and(|host| site(host).sends(headers))
}

fn shows(headers: &HeaderMap, token: &AdminToken) -> Result<(), Refusal> {
    let field = only(headers, &AUTHORIZATION).ok_or(Refusal::NoToken)?;
    let (scheme, shown) = field
        .as_bytes()
        .split_at_checked("Bearer ".len())
        .ok_or(Refusal::NoToken)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err(Refusal::NoToken);
    }
    if token.is(shown) {
        Ok(())
    } else {
        Err(Refusal::WrongToken)
    }
}

/// Whether the gateway is called by an address, or as the very machine that asks.
fn is_address(headers: &HeaderMap) -> bool {
    let Some(host) = only(headers, &HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
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
    fn without_a_token_only_addresses_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:9900", Ok(())),
            ("[::1]:9900", Ok(())),
            ("10.1.2.3", Ok(())),
            ("LOCALHOST:9900", Ok(())),
            ("gatelatch.localhost:9900", Ok(())),
            ("evil.example:9900", Err(Refusal::Host)),
            ("localhost.evil.example", Err(Refusal::Host)),
            ("", Err(Refusal::Host)),
        ] {
            let headers = headers(&[("host", host)]);
            assert_eq!(may_look(&headers, None), expected, "{host}");
            assert_eq!(may_change(&headers, None), Err(Refusal::ReadOnly), "{host}");
        }
        assert_eq!(
            may_look(
                &headers(&[("host", "localhost"), ("host", "localhost")]),
                None
            ),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn with_a_token_it_is_asked_for_and_the_host_is_not() {
        let token = AdminToken::new("0123456789abcdef").unwrap();
        for (fields, expected) in [
            (&[][..], Err(Refusal::NoToken)),
            (&[("authorization", "Bearer 0123456789abcdef")], Ok(())),
            (&[("authorization", "bearer 0123456789abcdef")], Ok(())),
            (
                &[("authorization", "Bearer 0123456789abcdeg")],
                Err(Refusal::WrongToken),
            ),
            (&[("authorization", "Bearer ")], Err(Refusal::WrongToken)),
            (
                &[("authorization", "Basic 0123456789abcdef")],
                Err(Refusal::NoToken),
            ),
            (
                &[
                    ("authorization", "Bearer 0123456789abcdef"),
                    ("authorization", "Bearer 0123456789abcdef"),
                ],
                Err(Refusal::NoToken),
            ),
        ] {
            assert_eq!(
                may_look(&headers(fields), Some(&token)),
                expected,
                "{fields:?}"
            );
        }
        assert_eq!(
            may_open(&headers(&[("host", "ops.example")]), Some(&token)),
            Ok(())
        );
    }

    #[test]
    fn only_our_own_page_and_programs_change_something() {
        let token = AdminToken::new("0123456789abcdef").unwrap();
        for (fields, expected) in [
            (&[][..], Ok(())),
            (&[("sec-fetch-site", "same-origin")], Ok(())),
            (&[("sec-fetch-site", "cross-site")], Err(Refusal::Foreign)),
            (&[("origin", "http://127.0.0.1:9900")], Ok(())),
            (
                &[("origin", "http://127.0.0.1:9901")],
                Err(Refusal::Foreign),
            ),
            (&[("origin", "null")], Err(Refusal::Foreign)),
        ] {
            let mut all = headers(fields);
            all.insert(HOST, HeaderValue::from_static("127.0.0.1:9900"));
            all.insert(
                AUTHORIZATION,
                HeaderValue::from_static("Bearer 0123456789abcdef"),
            );
            assert_eq!(
                may_change(&all, Some(&token)),
                expected.and(Err(Refusal::NotJson)),
                "{fields:?}"
            );
            all.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
            assert_eq!(may_change(&all, Some(&token)), expected, "{fields:?}");
            all.insert(
                AUTHORIZATION,
                HeaderValue::from_static("Bearer 0123456789abcdeX"),
            );
            assert_eq!(
                may_change(&all, Some(&token)),
                Err(Refusal::WrongToken),
                "{fields:?}"
            );
        }
    }
}
