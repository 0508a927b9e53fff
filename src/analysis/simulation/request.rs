//! A request as an operator writes it: a method, and a path or a whole URL.

use std::fmt;

use http::{Method, Uri};

use crate::wire::{BadTarget, Host, Scheme, Site};

/// A request that is decided without being sent.
#[derive(Clone, Debug)]
pub struct SimulatedRequest {
    method: Method,
    uri: Uri,
    fault: Option<BadTarget>,
    host: Option<Host>,
    destination: Option<Box<str>>,
    text: String,
}

/// Why a text is not a request; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimulatedRequestError {
    /// Not two words.
    Words,
    /// Characters that are not valid in a method.
    Method(String),
    /// Neither a path that starts with `/` nor a URL of `http` or `https`.
    Url(String),
    /// A URL without a valid host.
    Host(String),
}

impl SimulatedRequest {
    /// Reads `POST /jobs` or `POST https://jobs.example.com/jobs`.
    ///
    /// # Errors [`SimulatedRequestError`] for what no client could send. What a client can send and the gateway refuses
    /// is valid here.
    pub fn parse(text: &str) -> Result<Self, SimulatedRequestError> {
        let mut words = text.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(method), Some(url), None) => Self::new(method, url),
            _ => Err(SimulatedRequestError::Words),
        }
    }

    /// The same from two words.
    ///
    /// # Errors
    /// As [`SimulatedRequest::parse`].
    pub fn new(method: &str, url: &str) -> Result<Self, SimulatedRequestError> {
        let text = format!("{method} {url}");
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| SimulatedRequestError::Method(method.to_owned()))?;
        let no_url = || SimulatedRequestError::Url(url.to_owned());
        let fault = BadTarget::of(url);
        let uri = match fault {
            None => url.parse(),
            Some(_) => masked(url).parse(),
        };
        let uri: Uri = uri.map_err(|_| no_url())?;
        let host = match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) => {
                let host = Host::parse(authority.as_str());
                Some(
                    host.ok_or_else(|| SimulatedRequestError::Host(authority.as_str().to_owned()))?,
                )
            }
            (None, None) => None,
            (Some(_) | None, _) => return Err(no_url()),
        };
        Ok(Self {
            method,
            uri,
            fault,
            host,
            destination: None,
            text,
        })
    }

    /// The same request with WebDAV's `Destination` (RFC 4918, section 10.3): an absolute path, or a URL where the
    /// request has one. What the gateway refuses is valid here, too.
    #[must_use]
    pub fn with_destination(self, destination: Option<&str>) -> Self {
        Self {
            destination: destination.map(Into::into),
            ..self
        }
    }

    /// Its `Destination`.
    pub fn destination(&self) -> Option<&str> {
        self.destination.as_deref()
    }

    /// The origin that it is sent to, where it has a whole URL.
    pub fn site(&self) -> Option<Site> {
        let scheme = match self.uri.scheme_str()? {
            "https" => Scheme::Https,
            _ => Scheme::Http,
        };
        Some(Site {
            scheme,
            host: self.host.as_ref()?.field().clone(),
        })
    }

    /// The method as written.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// What the target holds that none may; it is refused for that, whatever else is wrong with it.
    pub fn fault(&self) -> Option<BadTarget> {
        self.fault
    }

    /// The request target, without what [`SimulatedRequest::fault`] says.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host, where the request has a whole URL.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }
}

/// A target of which the rest can be read.
fn masked(target: &str) -> String {
    let (target, _) = target.split_once('#').unwrap_or((target, ""));
    target.replace(['<', '>', '"', '`'], "_")
}

/// As written.
impl fmt::Display for SimulatedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl SimulatedRequestError {
    /// What to write instead, without what was written.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Words => "write `GET /jobs`",
            Self::Method(_) => "write a method such as `GET`",
            Self::Url(_) => "write `/jobs` or `https://example.com/jobs`",
            Self::Host(_) => "write a host such as `example.com` or `example.com:8080`",
        }
    }
}

impl fmt::Display for SimulatedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words => f.write_str("not a method and a URL")?,
            Self::Method(text) => write!(f, "`{text}` is no method")?,
            Self::Url(text) => write!(f, "`{text}` is no path and no URL")?,
            Self::Host(text) => write!(f, "`{text}` is no host")?,
        }
        write!(f, "; {}", self.help())
    }
}

impl std::error::Error for SimulatedRequestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_method_and_a_path_or_url() {
        for (text, expected) in [
            ("GET /jobs?x=1", Ok((None, "/jobs"))),
            ("get  //a/../b", Ok((None, "//a/../b"))),
            ("OPTIONS *", Ok((None, "*"))),
            (
                "POST https://Jobs.Example.com:8443/a",
                Ok((Some("jobs.example.com"), "/a")),
            ),
            ("GET http://[::1]", Ok((Some("::1"), "/"))),
            ("GET", Err(SimulatedRequestError::Words)),
            ("GET /a b", Err(SimulatedRequestError::Words)),
            (
                "G(T /a",
                Err(SimulatedRequestError::Method("G(T".to_owned())),
            ),
            (
                "GET jobs",
                Err(SimulatedRequestError::Url("jobs".to_owned())),
            ),
            (
                "GET ftp://a/b",
                Err(SimulatedRequestError::Url("ftp://a/b".to_owned())),
            ),
            (
                "GET jobs<",
                Err(SimulatedRequestError::Url("jobs<".to_owned())),
            ),
            (
                "GET http://me@a/b",
                Err(SimulatedRequestError::Host("me@a".to_owned())),
            ),
        ] {
            let parsed = SimulatedRequest::parse(text);
            let parsed = parsed
                .as_ref()
                .map(|request| (request.host().map(Host::name), request.uri().path()));
            assert_eq!(parsed, expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn what_the_gateway_refuses_in_a_target_is_valid_here() {
        let (fragment, character) = (Some(BadTarget::Fragment), Some(BadTarget::Character));
        for (url, fault, path) in [
            ("/a?b", None, "/a"),
            ("/a\"b", None, "/a\"b"),
            ("/a#b", fragment, "/a"),
            ("/a<b?c#d", fragment, "/a_b"),
            ("/a<b", character, "/a_b"),
            ("/a`b", character, "/a_b"),
            ("/a?`b", None, "/a"),
            ("/a?b=<c>", character, "/a"),
            ("/a?b=\"c\"", character, "/a"),
            ("https://a.example/b#c", fragment, "/b"),
        ] {
            let request = SimulatedRequest::new("GET", url).unwrap();
            assert_eq!((request.fault(), request.uri().path()), (fault, path));
            assert_eq!(request.to_string(), format!("GET {url}"));
        }
    }
}
