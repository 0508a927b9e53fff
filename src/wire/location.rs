//! URLs by which an answer leads on: those of the service's own inner address become the client's.

use std::net::Ipv6Addr;

use http::HeaderValue;

use super::peer::Scheme;
use crate::access::{CaseRule, Mount};

/// Rewrites `Location` and `Content-Location` of one answer. A service names itself by the address that it listens on, by
/// the hosts that it was told, or by a path alone, and knows nothing of the mount that was taken off.
#[derive(Clone, Copy, Debug)]
pub struct LocationRewrite<'a> {
    /// How the gateway reaches the service.
    pub inner: Scheme,
    /// The `host[:port]` of the server that answers; `None` for a Unix socket.
    pub server: Option<&'a str>,
    /// The `Host` that the service was sent, where it is neither the server's nor the client's.
    pub sent: Option<&'a str>,
    /// How the client came.
    pub scheme: Scheme,
    /// The `host[:port]` that the client sees.
    pub host: &'a str,
    /// What was taken off the path, and how it is compared.
    pub mount: Option<(&'a Mount, CaseRule)>,
}

impl LocationRewrite<'_> {
    /// The value for the client; `None`: it stays as it is. That is so for every other origin, for paths that are relative to
    /// that of the request, and for what browsers and RFC 3986 read in two ways.
    pub fn rewrite(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let text = std::str::from_utf8(value.as_bytes()).ok()?;
        if text
            .bytes()
            .any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\')
        {
            return None;
        }
        let rewritten = self.rewrite_url(text)?;
        (rewritten != text)
            .then(|| HeaderValue::from_str(&rewritten).ok())
            .flatten()
    }

    fn rewrite_url(&self, text: &str) -> Option<String> {
        if let Some(rest) = text.strip_prefix("//") {
            let (authority, rest) = split_authority(rest);
            let own = self.is_own(self.inner, authority) || self.is_own(self.scheme, authority);
            return own.then(|| format!("//{}{}", self.host, self.under_mount(rest)));
        }
        if text.starts_with('/') {
            return Some(self.under_mount(text));
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))?;
        let (authority, rest) = split_authority(rest);
        self.is_own(scheme, authority).then(|| {
            let (scheme, rest) = (self.scheme.as_str(), self.under_mount(rest));
            format!("{scheme}://{}{rest}", self.host)
        })
    }

    /// Whether the service means itself. By the name that its clients use, it may lead from `http` to `https`: that stays.
    fn is_own(&self, scheme: Scheme, authority: &str) -> bool {
        let Some(named) = Authority::parse(authority, scheme) else {
            return false;
        };
        let is = |own: &str| Authority::parse(own, scheme).as_ref() == Some(&named);
        let told = scheme == self.scheme || (scheme == self.inner && scheme == Scheme::Http);
        (scheme == self.inner && self.server.is_some_and(is))
            || (told && (is(self.host) || self.sent.is_some_and(is)))
    }

    /// A path, with the query and fragment behind it, as the client has to ask for it.
    fn under_mount(&self, rest: &str) -> String {
        let Some((mount, case)) = self.mount else {
            return rest.to_owned();
        };
        let mount = mount.source().trim_end_matches('/');
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        if lies_under(path, mount, case) {
            return rest.to_owned();
        }
        let root = if path.is_empty() { "/" } else { "" };
        format!("{mount}{root}{rest}")
    }
}

/// A service that knows its mount, as from `X-Forwarded-Prefix`, names it.
fn lies_under(path: &str, mount: &str, case: CaseRule) -> bool {
    let Some((start, rest)) = path.split_at_checked(mount.len()) else {
        return false;
    };
    let same = match case {
        CaseRule::Sensitive => start == mount,
        CaseRule::Insensitive => start.eq_ignore_ascii_case(mount),
    };
    same && (rest.is_empty() || rest.starts_with('/'))
}

fn split_authority(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()))
}

/// A host and a port, to be compared (RFC 3986, sections 6.2.2 and 6.2.3).
#[derive(Debug, PartialEq, Eq)]
struct Authority {
    host: String,
    port: u16,
}

impl Authority {
    /// `None` with user information, and for what is none.
    fn parse(text: &str, scheme: Scheme) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (address.parse::<Ipv6Addr>().ok()?.to_string(), port)
            }
            None => {
                let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                (host.to_ascii_lowercase(), port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => "",
            None => return None,
            Some(port) => port,
        };
        let default = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            "" => default,
            _ if is_number => port.parse().ok()?,
            _ => return None,
        };
        (!host.is_empty() && !host.contains('@')).then_some(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(rewrite: LocationRewrite<'_>, value: &str) -> Option<String> {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let rewritten = rewrite.rewrite(&value)?;
        Some(
            std::str::from_utf8(rewritten.as_bytes())
                .unwrap()
                .to_owned(),
        )
    }

    const PLAIN: LocationRewrite<'static> = LocationRewrite {
        inner: Scheme::Http,
        server: Some("127.0.0.1:9100"),
        sent: None,
        scheme: Scheme::Https,
        host: "app.example",
        mount: None,
    };

    #[test]
    fn the_inner_origin_becomes_the_clients() {
        for (value, expected) in [
            ("http://127.0.0.1:9100/x/", "https://app.example/x/"),
            ("http://127.0.0.1:9100", "https://app.example"),
            (
                "HTTP://127.0.0.1:9100?a=//b#c",
                "https://app.example?a=//b#c",
            ),
            ("http://127.0.0.1:9100#c", "https://app.example#c"),
            ("//127.0.0.1:9100/x", "//app.example/x"),
            ("http://127.0.0.1:09100/x", "https://app.example/x"),
            // no open redirect comes of it
            (
                "http://127.0.0.1:9100//evil.example/",
                "https://app.example//evil.example/",
            ),
            ("http://127.0.0.1:9100/\u{e9}", "https://app.example/\u{e9}"),
            // the name that it was told, with the scheme that it sees
            ("http://app.example/x", "https://app.example/x"),
            ("http://APP.example:80/x", "https://app.example/x"),
        ] {
            assert_eq!(rewrite(PLAIN, value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn everything_else_stays() {
        for value in [
            "",
            "x/",
            "../x",
            "?a=b",
            "#c",
            "/x",
            "/x?u=http://127.0.0.1:9100/",
            "https://app.example/x",
            "https://127.0.0.1:9100/x",
            "http://127.0.0.1/x",
            "http://127.0.0.1:9101/x",
            "http://127.0.0.1:91000/x",
            "http://127.0.0.1:+9100/x",
            "http://127.0.0.1:9100.evil.example/x",
            "http://127.0.0.1:9100@evil.example/x",
            "http://evil.example@127.0.0.1:9100/x",
            "http://127.0.0.1:9100\\@evil.example/x",
            "http://127.0.0.1:9100 /x",
            "http://127.0.0.1.:9100/x",
            "http:///x",
            "http:/x",
            "http:127.0.0.1:9100/x",
            "///127.0.0.1:9100/x",
            "//evil.example/x",
            "/\\evil.example/x",
            "/\t/evil.example/x",
            "ftp://127.0.0.1:9100/x",
            "mailto:a@127.0.0.1:9100",
            "http://other.example/?u=http://127.0.0.1:9100/",
            "http://[::1",
            "http://[::1]x/",
        ] {
            assert_eq!(rewrite(PLAIN, value), None, "{value}");
        }
        let bytes = HeaderValue::from_bytes(b"http://127.0.0.1:9100/\xe9").unwrap();
        assert_eq!(PLAIN.rewrite(&bytes), None, "no UTF-8");
    }

    #[test]
    fn a_service_may_lead_its_clients_to_https() {
        let clear = LocationRewrite {
            scheme: Scheme::Http,
            ..PLAIN
        };
        assert_eq!(rewrite(clear, "https://app.example/x"), None);
        let over_tls = LocationRewrite {
            inner: Scheme::Https,
            ..clear
        };
        assert_eq!(rewrite(over_tls, "https://app.example/x"), None);
        let inner = rewrite(over_tls, "https://127.0.0.1:9100/x");
        assert_eq!(inner.as_deref(), Some("http://app.example/x"));
    }

    #[test]
    fn every_form_of_a_server_is_recognized() {
        let v6 = LocationRewrite {
            server: Some("[::1]:9100"),
            host: "[2001:db8::1]:8443",
            ..PLAIN
        };
        for value in ["http://[::1]:9100/x", "http://[0:0::0:1]:9100/x"] {
            let rewritten = rewrite(v6, value);
            assert_eq!(rewritten.as_deref(), Some("https://[2001:db8::1]:8443/x"));
        }
        let default_port = LocationRewrite {
            inner: Scheme::Https,
            server: Some("api.internal"),
            sent: Some("host.told"),
            ..PLAIN
        };
        for value in [
            "https://api.internal:443/x",
            "https://API.internal:/x",
            "https://host.told/x",
        ] {
            let rewritten = rewrite(default_port, value);
            assert_eq!(
                rewritten.as_deref(),
                Some("https://app.example/x"),
                "{value}"
            );
        }
        let unix = LocationRewrite {
            server: None,
            ..PLAIN
        };
        assert_eq!(rewrite(unix, "http://localhost/x"), None);
        let rewritten = rewrite(unix, "http://app.example/x");
        assert_eq!(rewritten.as_deref(), Some("https://app.example/x"));
    }

    #[test]
    fn a_mount_that_was_taken_off_is_put_back() {
        let mount = Mount::parse("/jobs/").unwrap();
        let mounted = LocationRewrite {
            mount: Some((&mount, CaseRule::Sensitive)),
            ..PLAIN
        };
        for (value, expected) in [
            ("/x/", Some("/jobs/x/")),
            ("/", Some("/jobs/")),
            ("/?a", Some("/jobs/?a")),
            ("/jobsite", Some("/jobs/jobsite")),
            ("/Jobs/x", Some("/jobs/Jobs/x")),
            (
                "http://127.0.0.1:9100/x",
                Some("https://app.example/jobs/x"),
            ),
            ("http://127.0.0.1:9100", Some("https://app.example/jobs/")),
            (
                "http://127.0.0.1:9100?a",
                Some("https://app.example/jobs/?a"),
            ),
            ("https://app.example/x", Some("https://app.example/jobs/x")),
            // it knows where it is
            ("/jobs", None),
            ("/jobs/x", None),
            ("/jobs?a", None),
            ("https://app.example/jobs/x", None),
            (
                "http://127.0.0.1:9100/jobs/x",
                Some("https://app.example/jobs/x"),
            ),
            ("x/", None),
            ("../x", None),
            ("//evil.example/x", None),
            ("http://evil.example/x", None),
        ] {
            assert_eq!(rewrite(mounted, value).as_deref(), expected, "{value}");
        }
        let folded = LocationRewrite {
            mount: Some((&mount, CaseRule::Insensitive)),
            ..PLAIN
        };
        assert_eq!(rewrite(folded, "/JOBS/x"), None);
        let root = Mount::parse("/").unwrap();
        let root = LocationRewrite {
            mount: Some((&root, CaseRule::Sensitive)),
            ..PLAIN
        };
        assert_eq!(rewrite(root, "/x"), None);
    }
}
