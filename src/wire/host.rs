//! The host a request is for.

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri};

use super::bad_request::BadRequest;
use super::peer::Scheme;

/// A checked `Host`: the field as sent, and the name that services are found by.
#[derive(Clone, Debug)]
pub struct Host {
    field: HeaderValue,
    name: Box<str>,
}

impl Host {
    /// Reads the one `Host` of a request, and holds an absolute-form target against it and against the connection's
    /// scheme (`None`: whoever speaks may know better than the connection).
    ///
    /// # Errors
    /// [`BadRequest`] for a missing, double or malformed one, or one that differs from the target's.
    pub fn read(head: &Parts, scheme: Option<Scheme>) -> Result<Self, BadRequest> {
        check_scheme(&head.uri, scheme)?;
        let field = one_field(&head.headers)?.ok_or(BadRequest::MissingHost)?;
        let text = field.to_str().map_err(|_| BadRequest::MalformedHost)?;
        let name = name_of(text).ok_or(BadRequest::MalformedHost)?;
        check_authority(&head.uri, text)?;
        Ok(Self {
            field: field.clone(),
            name,
        })
    }

    /// The host that a client would send for a `host[:port]`; `None` where it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self {
            name: name_of(text)?,
            field: HeaderValue::from_str(text).ok()?,
        })
    }

    /// The host of a `host[:port]` field; `None` where it is malformed.
    pub(super) fn of_field(field: &HeaderValue) -> Option<Self> {
        Self::parse(field.to_str().ok()?)
    }

    /// The port, where one is written.
    pub(super) fn port(&self) -> Option<u16> {
        let (_, port) = self.field.to_str().ok()?.rsplit_once(':')?;
        port.parse().ok()
    }

    /// The field as the client sent it, port included.
    pub fn field(&self) -> &HeaderValue {
        &self.field
    }

    /// Lower-case, without port, brackets and trailing dot.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn one_field(headers: &HeaderMap) -> Result<Option<&HeaderValue>, BadRequest> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        Err(BadRequest::SeveralHosts)
    } else {
        Ok(field)
    }
}

/// Whether a target's scheme is the connection's.
pub(super) fn check_scheme(uri: &Uri, connection: Option<Scheme>) -> Result<(), BadRequest> {
    let Some(sent) = uri.scheme_str() else {
        return Ok(());
    };
    let fits = |scheme: Scheme| sent.eq_ignore_ascii_case(scheme.as_str());
    let known = connection.map_or_else(|| fits(Scheme::Http) || fits(Scheme::Https), fits);
    if known {
        Ok(())
    } else {
        Err(BadRequest::ForeignScheme)
    }
}

fn check_authority(uri: &Uri, host: &str) -> Result<(), BadRequest> {
    match uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => {
            Err(BadRequest::ForeignAuthority)
        }
        None if uri.scheme().is_some() => Err(BadRequest::ForeignAuthority),
        Some(_) | None => Ok(()),
    }
}

fn name_of(text: &str) -> Option<Box<str>> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .and_then(|(host, rest)| Some((host, port_part(rest)?)))?,
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return None;
    }
    if text.starts_with('[') {
        ipv6_name(host)
    } else {
        domain_name(host)
    }
}

/// What stands behind the bracket: nothing, or `:port`.
fn port_part(rest: &str) -> Option<Option<&str>> {
    if rest.is_empty() {
        Some(None)
    } else {
        rest.strip_prefix(':').map(Some)
    }
}

fn ipv6_name(host: &str) -> Option<Box<str>> {
    host.parse::<std::net::Ipv6Addr>()
        .ok()
        .map(|address| address.to_string().into())
}

fn domain_name(host: &str) -> Option<Box<str>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut before = b'.';
    let legal = |byte: u8| {
        let after_dot = std::mem::replace(&mut before, byte) == b'.';
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && !after_dot)
    };
    let sound = !host.is_empty() && host.len() <= 253 && host.bytes().all(legal);
    sound.then(|| host.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(host: &[&str], uri: &str) -> Result<String, BadRequest> {
        let mut request = http::Request::builder().uri(uri);
        for value in host {
            request = request.header(HOST, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Host::read(&head, Some(Scheme::Http)).map(|host| host.name().to_owned())
    }

    #[test]
    fn the_name_has_one_spelling() {
        for (host, name) in [
            ("jobs.example.com", "jobs.example.com"),
            ("Jobs.Example.COM:8080", "jobs.example.com"),
            ("jobs.example.com.", "jobs.example.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[0:0::1]", "::1"),
            ("my_service", "my_service"),
        ] {
            assert_eq!(read(&[host], "/").as_deref(), Ok(name), "{host}");
        }
    }

    #[test]
    fn a_host_that_can_be_read_in_two_ways_is_refused() {
        for host in [
            "", ":80", "a b", "a,b", "user@a", "a:b", "a:99999", "a:+80", "a:", "a/b", "[::1",
            "[::1]x", "[zz]", "..", ".a", "a..b", "a?b", "a#b", "a%2fb",
        ] {
            assert_eq!(
                read(&[host], "/"),
                Err(BadRequest::MalformedHost),
                "{host:?}"
            );
        }
        assert_eq!(read(&[], "/"), Err(BadRequest::MissingHost));
        assert_eq!(read(&["a", "a"], "/"), Err(BadRequest::SeveralHosts));
    }

    #[test]
    fn an_absolute_target_names_the_same_host() {
        assert_eq!(read(&["a:80"], "http://A:80/x").as_deref(), Ok("a"));
        assert_eq!(
            read(&["a"], "http://b/x"),
            Err(BadRequest::ForeignAuthority)
        );
        assert_eq!(
            read(&["a"], "http://a:80/x"),
            Err(BadRequest::ForeignAuthority)
        );
        assert_eq!(read(&["a"], "https://a/x"), Err(BadRequest::ForeignScheme));
        assert_eq!(read(&["a"], "ftp://a/x"), Err(BadRequest::ForeignScheme));
    }
}
