//! WebDAV's `Destination`: the second path that a request acts on (RFC 4918, section 10.3).

use http::{HeaderMap, HeaderName};

use super::bad_request::BadRequest;
use super::browser::Site;
use super::destination::Destination;
use super::host::Host;
use super::peer::Scheme;
use crate::access::{NoDestination, RequestPath};

/// The field, which the gateway reads and writes on every method: what a service does with it is its own affair.
pub const DESTINATION: HeaderName = HeaderName::from_static("destination");

/// A `Destination` as sent: an absolute path, or a URL of `http` or `https`.
#[derive(Clone, Debug)]
pub struct DestinationField<'a> {
    origin: Option<(Scheme, Host)>,
    path: &'a str,
}

impl<'a> DestinationField<'a> {
    /// Reads the one `Destination` of a request, where it has one.
    ///
    /// # Errors
    /// [`BadRequest`] for several, and for one that is neither an absolute path nor a URL.
    pub fn read(headers: &'a HeaderMap) -> Result<Option<Self>, BadRequest> {
        let mut values = headers.get_all(DESTINATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(BadRequest::SeveralDestinations);
        }
        let text = std::str::from_utf8(value.as_bytes());
        Self::parse(text.map_err(|_| BadRequest::MalformedDestination)?).map(Some)
    }

    /// Reads the value of a `Destination`. Its path is not parsed yet.
    ///
    /// # Errors
    /// [`BadRequest`] where it is neither an absolute path nor a URL.
    pub fn parse(text: &'a str) -> Result<Self, BadRequest> {
        if text.starts_with('/') {
            return Ok(Self {
                origin: None,
                path: text,
            });
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or(BadRequest::MalformedDestination)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return Err(BadRequest::ForeignDestination),
        };
        let host = Host::parse(authority).ok_or(BadRequest::MalformedDestination)?;
        Ok(Self {
            origin: Some((scheme, host)),
            path: if path.is_empty() { "/" } else { path },
        })
    }

    /// The path as sent, for the router; where the field is a URL, one on this site. `None`: nothing is known of the site,
    /// on which no URL is.
    ///
    /// # Errors
    /// [`BadRequest::ForeignDestination`] for a URL of another scheme, host or port.
    pub fn path_on(&self, site: Option<&Site>) -> Result<&'a str, BadRequest> {
        let is_there = self.origin.as_ref().is_none_or(|(scheme, host)| {
            let asked = site.and_then(|site| Some((site.scheme, Host::of_field(&site.host)?)));
            asked.is_some_and(|(asked_scheme, asked)| {
                let port = |host: &Host| host.port().unwrap_or(scheme.default_port());
                asked_scheme == *scheme && asked.name() == host.name() && port(&asked) == port(host)
            })
        });
        is_there
            .then_some(self.path)
            .ok_or(BadRequest::ForeignDestination)
    }
}

/// The path of a `Destination`, where it goes to the service of this index, as the request does.
///
/// # Errors
/// [`BadRequest`] where it goes elsewhere, or has two readings.
pub fn same_service(
    found: Result<Destination, NoDestination>,
    service: usize,
) -> Result<RequestPath, BadRequest> {
    match found {
        Ok(Destination::Service(found)) if found.service() == service => Ok(found.into_path()),
        Ok(_) | Err(NoDestination::NoService(_)) => Err(BadRequest::DestinationElsewhere),
        Err(NoDestination::Path(error) | NoDestination::ServicePath(_, error)) => {
            Err(BadRequest::DestinationPath(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn it_is_a_path_or_a_url_of_the_same_site() {
        use BadRequest::{ForeignDestination, MalformedDestination};
        let site = |scheme, host| Site {
            scheme,
            host: HeaderValue::from_static(host),
        };
        let plain = site(Scheme::Http, "dav.test:8080");
        let tls = site(Scheme::Https, "Dav.test.");
        let v6 = site(Scheme::Http, "[::1]");
        for (text, site, expected) in [
            ("/a%20b", &plain, Ok("/a%20b")),
            ("//dav.test/a", &plain, Ok("//dav.test/a")),
            ("http://dav.test:8080/a", &plain, Ok("/a")),
            ("HTTP://DAV.TEST:8080", &plain, Ok("/")),
            ("http://dav.test/a", &plain, Err(ForeignDestination)),
            ("https://dav.test:8080/a", &plain, Err(ForeignDestination)),
            (
                "http://dav.test:8080.evil.test/",
                &plain,
                Err(MalformedDestination),
            ),
            ("http://evil.test:8080/a", &plain, Err(ForeignDestination)),
            ("https://dav.test/a", &tls, Ok("/a")),
            ("https://dav.test:443/a?b", &tls, Ok("/a?b")),
            ("https://dav.test:80/a", &tls, Err(ForeignDestination)),
            ("http://dav.test/a", &tls, Err(ForeignDestination)),
            ("http://[0::1]:80/a", &v6, Ok("/a")),
            ("http://[::2]/a", &v6, Err(ForeignDestination)),
            ("ftp://dav.test:8080/a", &plain, Err(ForeignDestination)),
            (
                "http://me@dav.test:8080/a",
                &plain,
                Err(MalformedDestination),
            ),
            ("http://dav.test:8080?/a", &plain, Err(MalformedDestination)),
            (
                "http://dav.test:8080\\@evil/a",
                &plain,
                Err(MalformedDestination),
            ),
            ("http:///a", &plain, Err(MalformedDestination)),
            ("http:/a", &plain, Err(MalformedDestination)),
            ("a/b", &plain, Err(MalformedDestination)),
            ("../a", &plain, Err(MalformedDestination)),
            ("*", &plain, Err(MalformedDestination)),
            ("", &plain, Err(MalformedDestination)),
        ] {
            let read = DestinationField::parse(text);
            let path = read.and_then(|field| field.path_on(Some(site)));
            assert_eq!(path, expected, "{text:?}");
        }
        let read = DestinationField::parse("http://dav.test/a").unwrap();
        assert_eq!(read.path_on(None), Err(ForeignDestination));
    }

    #[test]
    fn there_is_one() {
        let read = |values: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(DESTINATION, HeaderValue::from_bytes(value).unwrap());
            }
            DestinationField::read(&headers).map(|field| field.map(|field| field.path.to_owned()))
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"/a"]), Ok(Some("/a".to_owned())));
        assert_eq!(read(&[b"/a", b"/a"]), Err(BadRequest::SeveralDestinations));
        assert_eq!(read(&[b"/\xff"]), Err(BadRequest::MalformedDestination));
    }
}
