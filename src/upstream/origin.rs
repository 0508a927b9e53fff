//! Upstream servers as they are written, and the names they go by.

use std::fmt;
use std::path::Path;

use http::uri::Scheme;
use http::{HeaderValue, Uri};

use crate::net::ServerAddress;
use crate::text::port::port_beyond;

/// The longest path of a Unix socket, in bytes: what the system's address structure holds.
const LONGEST_PATH: usize = 107;

/// Every form of a server, for messages.
const FORMS: &str =
    "write `http://host:port`, `https://host:port`, `h2c://host:port` or `unix:/path`";

/// An upstream server, such as `http://127.0.0.1:9000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    speaks: Speaks,
    address: ServerAddress,
}

/// What is spoken with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// HTTP/1.1 in the clear: `http://` and `unix:`.
    Http1,
    /// HTTP/2 in the clear, by prior knowledge (RFC 9113, section 3.3): `h2c://`.
    Http2,
    /// TLS, and in it what ALPN agrees on: `https://`.
    Tls,
}

/// Why a text is no upstream server; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Not `scheme://host[:port]`.
    Malformed,
    /// A port beyond 65535.
    Port(String),
    /// Some other scheme.
    Scheme(String),
    /// A path, query or user name behind or before the host.
    Extra,
    /// A host that no certificate can be for.
    Uncertifiable(String),
    /// A path of a socket that is not absolute, or too long.
    Socket,
}

impl Origin {
    /// Parses `http://host[:port]`, `https://host[:port]`, `h2c://host[:port]` and `unix:/path`. Without a port it is
    /// 443 for `https` and else 80.
    ///
    /// # Errors
    /// [`OriginError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self {
                speaks: Speaks::Http1,
                address: socket(path)?,
            });
        }
        if let Some(port) = port_beyond(text) {
            return Err(OriginError::Port(port.to_owned()));
        }
        let uri: Uri = text.parse().map_err(|_| OriginError::Malformed)?;
        let speaks = speaks(uri.scheme().ok_or(OriginError::Malformed)?)?;
        let authority = uri.authority().ok_or(OriginError::Malformed)?;
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(OriginError::Extra);
        }
        let address = ServerAddress::from_authority(authority, default_port(speaks))
            .ok_or(OriginError::Malformed)?;
        match &address {
            ServerAddress::Host(host, _)
                if speaks == Speaks::Tls && address.server_name().is_none() =>
            {
                Err(OriginError::Uncertifiable(host.to_string()))
            }
            ServerAddress::Host(..) | ServerAddress::Unix(_) => Ok(Self { speaks, address }),
        }
    }

    /// What is spoken with it.
    pub fn speaks(&self) -> Speaks {
        self.speaks
    }

    /// Whether it is a Unix socket, which has no name that a URL could hold.
    pub fn is_unix(&self) -> bool {
        matches!(self.address, ServerAddress::Unix(_))
    }

    pub(super) fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Its own `Host`: without a port that the scheme implies (RFC 9110, section 7.2); `localhost` for a Unix socket.
    pub fn host_field(&self) -> HeaderValue {
        let text = match &self.address {
            ServerAddress::Unix(_) => "localhost".to_owned(),
            ServerAddress::Host(host, port) if *port == default_port(self.speaks) => {
                bracketed(host)
            }
            ServerAddress::Host(..) => self.address.to_string(),
        };
        HeaderValue::from_str(&text).expect("a parsed host is visible ASCII")
    }
}

fn speaks(scheme: &Scheme) -> Result<Speaks, OriginError> {
    match scheme.as_str() {
        "http" => Ok(Speaks::Http1),
        "https" => Ok(Speaks::Tls),
        "h2c" => Ok(Speaks::Http2),
        other => Err(OriginError::Scheme(other.to_owned())),
    }
}

/// `/path`, or the `///path` of those who write it as a URL.
fn socket(path: &str) -> Result<ServerAddress, OriginError> {
    let path = path
        .strip_prefix("//")
        .filter(|path| path.starts_with('/'))
        .unwrap_or(path);
    let fits = path.len() <= LONGEST_PATH && !path.contains('\0') && !path.ends_with('/');
    if Path::new(path).is_absolute() && !path.starts_with("//") && fits {
        Ok(ServerAddress::Unix(path.into()))
    } else {
        Err(OriginError::Socket)
    }
}

fn default_port(speaks: Speaks) -> u16 {
    match speaks {
        Speaks::Http1 | Speaks::Http2 => 80,
        Speaks::Tls => 443,
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// As it is called in logs and metrics: `host:port`, with the scheme before it where it is not plain `http`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.speaks {
            Speaks::Http1 => "",
            Speaks::Http2 => "h2c://",
            Speaks::Tls => "https://",
        };
        write!(f, "{scheme}{}", self.address)
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "not an upstream server; {FORMS}"),
            Self::Port(port) => write!(f, "`{port}` is not a port"),
            Self::Scheme(scheme) => write!(f, "the scheme `{scheme}` is unknown; {FORMS}"),
            Self::Extra => write!(
                f,
                "a user name, a path or a query has no place here; {FORMS}"
            ),
            Self::Uncertifiable(host) => {
                write!(
                    f,
                    "no certificate can be for `{host}`; write a name of letters, digits, `-` and `.`"
                )
            }
            Self::Socket => write!(
                f,
                "not a socket; write `unix:/path`, absolute and of {LONGEST_PATH} bytes at most"
            ),
        }
    }
}

impl std::error::Error for OriginError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_its_name_and_its_host() {
        for (text, name, host) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1:9000"),
            ("http://API.example/", "api.example:80", "api.example"),
            (
                "https://api.example",
                "https://api.example:443",
                "api.example",
            ),
            (
                "https://api.example:80",
                "https://api.example:80",
                "api.example:80",
            ),
            ("https://[::1]:8443", "https://[::1]:8443", "[::1]:8443"),
            ("http://[::1]", "[::1]:80", "[::1]"),
            ("h2c://grpc:50051", "h2c://grpc:50051", "grpc:50051"),
            ("h2c://grpc", "h2c://grpc:80", "grpc"),
            ("unix:/run/app.sock", "unix:/run/app.sock", "localhost"),
            ("unix:///run/app.sock", "unix:/run/app.sock", "localhost"),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!(
                (
                    origin.to_string().as_str(),
                    origin.host_field().to_str().unwrap()
                ),
                (name, host),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("unix:/{}", "x".repeat(LONGEST_PATH));
        for (text, error) in [
            ("127.0.0.1:9000", OriginError::Malformed),
            ("/run/app.sock", OriginError::Malformed),
            ("http://h:0", OriginError::Malformed),
            ("http://h:", OriginError::Malformed),
            ("http://h:99999", OriginError::Port("99999".to_owned())),
            ("http://", OriginError::Malformed),
            ("ftp://h", OriginError::Scheme("ftp".to_owned())),
            ("http://h/path", OriginError::Extra),
            ("http://h?q", OriginError::Extra),
            ("http://me@h", OriginError::Extra),
            ("https://-.-", OriginError::Uncertifiable("-.-".to_owned())),
            ("unix:run/app.sock", OriginError::Socket),
            ("unix://run/app.sock", OriginError::Socket),
            ("unix:/run/", OriginError::Socket),
            ("unix:", OriginError::Socket),
            (&long, OriginError::Socket),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
    }
}
