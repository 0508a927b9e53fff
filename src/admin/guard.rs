//! Who may look, and who may change something.
//!
//! A browser is the danger: pages of other sites can make it send requests to the loopback address. What they cannot do
//! is to know the token, or to be called by an address. So without a token the host must be an address, `localhost`, or
//! listed in `admin.hosts` (another name could be one that was pointed here, DNS rebinding), and nothing can be changed at
//! all. Scrapers show no token, and come by names: for them a few that no public domain has are good as well. Neither
//! `Sec-Fetch-Site` nor `Origin` would tell a page from a program: over plain HTTP browsers send the one not at all, and
//! the other not with a `GET` of the same origin, which is what a rebound page sends.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{AdminHosts, AdminToken};
use crate::wire::{CROSS_ORIGIN, Host, Scheme, Site, only};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It calls the gateway by a name, and there is no token.
    Host,
    /// It calls the gateway by a name that scrapers may not use.
    Name,
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
                 site's name can be pointed here; use the address, list the name in `admin.hosts`, or set `admin.token`"
            }
            Self::Name => {
                "this name could be another site's that was pointed here (DNS rebinding); use the address, or list the \
                 name in `admin.hosts` of the configuration"
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

/// What the configuration in force asks of admin requests.
pub(super) struct Guard {
    token: Option<AdminToken>,
    hosts: AdminHosts,
}

impl Guard {
    pub(super) fn new(token: Option<AdminToken>, hosts: AdminHosts) -> Self {
        Self { token, hosts }
    }

    /// Whether nothing can be changed, whoever asks.
    pub(super) fn is_read_only(&self) -> bool {
        self.token.is_none()
    }

    /// Whether the request may see what probes and scrapers see. They show no token: what keeps a page of another site
    /// away is the name alone. Every browser sends one, and a program of HTTP/1.0 need not.
    pub(super) fn may_scrape(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let admits = |host: &str| is_own(host) || self.hosts.admit_scraper(host);
        if !headers.contains_key(HOST) || called(headers).is_some_and(|host| admits(host.name())) {
            Ok(())
        } else {
            Err(Refusal::Name)
        }
    }

    /// Whether the request may open the page itself, which says nothing yet.
    pub(super) fn may_open(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let listed = |host: &str| is_own(host) || self.hosts.lists(host);
        if self.token.is_some() || called(headers).is_some_and(|host| listed(host.name())) {
            Ok(())
        } else {
            Err(Refusal::Host)
        }
    }

    /// Whether the request may see what the page shows.
    pub(super) fn may_look(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.may_open(headers)?;
        let token = self.token.as_ref();
        token.map_or(Ok(()), |token| shows(headers, token))
    }

    /// Whether the request may change something.
    pub(super) fn may_change(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        shows(headers, self.token.as_ref().ok_or(Refusal::ReadOnly)?)?;
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

/// What the gateway is called; `None` where that has no one reading.
fn called(headers: &HeaderMap) -> Option<Host> {
    Host::parse(only(headers, &HOST)?.to_str().ok()?)
}

/// Whether a name is an address, or the very machine that asks.
fn is_own(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::HostPattern;

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

    fn guard(token: Option<AdminToken>) -> Guard {
        let listed = HostPattern::parse("ops.example").unwrap();
        Guard::new(token, AdminHosts::new(vec![listed]))
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
            ("gatelatch:9900", Err(Refusal::Host)),
            ("ops.example:9900", Ok(())),
        ] {
            let headers = headers(&[("host", host)]);
            assert_eq!(guard(None).may_look(&headers), expected, "{host}");
            assert_eq!(
                guard(None).may_change(&headers),
                Err(Refusal::ReadOnly),
                "{host}"
            );
        }
        let twice = headers(&[("host", "localhost"), ("host", "localhost")]);
        assert_eq!(guard(None).may_look(&twice), Err(Refusal::Host));
    }

    #[test]
    fn scrapers_come_by_names_that_no_other_site_has_whether_there_is_a_token_or_not() {
        let token = AdminToken::new("0123456789abcdef");
        let by_default = |token| Guard::new(token, AdminHosts::default());
        for (fields, default, listed) in [
            (&[][..], true, true),
            (&[("host", "127.0.0.1:9900")], true, true),
            (&[("host", "[::1]:9900")], true, true),
            (&[("host", "localhost:9900")], true, true),
            (&[("host", "gatelatch:9900")], true, false),
            (&[("host", "gatelatch.monitoring.svc:9900")], true, false),
            (&[("host", "ops.example:9900")], false, true),
            (&[("host", "OPS.example.:9900")], false, true),
            (&[("host", "evil.test")], false, false),
            (&[("host", "evil.test:9900")], false, false),
            (&[("host", "")], false, false),
            (&[("host", "127.0.0.1@evil.test")], false, false),
            (
                &[("host", "localhost"), ("host", "evil.test")],
                false,
                false,
            ),
        ] {
            let headers = headers(fields);
            for token in [None, token] {
                let verdict = |admits| if admits { Ok(()) } else { Err(Refusal::Name) };
                assert_eq!(
                    by_default(token).may_scrape(&headers),
                    verdict(default),
                    "{fields:?}"
                );
                assert_eq!(
                    guard(token).may_scrape(&headers),
                    verdict(listed),
                    "{fields:?}"
                );
            }
        }
        let mut unreadable = HeaderMap::new();
        unreadable.insert(HOST, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(by_default(None).may_scrape(&unreadable), Err(Refusal::Name));
        assert_eq!(by_default(None).may_look(&unreadable), Err(Refusal::Host));
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
                guard(Some(token)).may_look(&headers(fields)),
                expected,
                "{fields:?}"
            );
        }
        assert_eq!(
            guard(Some(token)).may_open(&headers(&[("host", "any.example")])),
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
                guard(Some(token)).may_change(&all),
                expected.and(Err(Refusal::NotJson)),
                "{fields:?}"
            );
            all.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
            assert_eq!(guard(Some(token)).may_change(&all), expected, "{fields:?}");
            all.insert(
                AUTHORIZATION,
                HeaderValue::from_static("Bearer 0123456789abcdeX"),
            );
            assert_eq!(
                guard(Some(token)).may_change(&all),
                Err(Refusal::WrongToken),
                "{fields:?}"
            );
        }
    }
}
