//! Where a server listens.

use std::fmt;
use std::path::PathBuf;

use http::uri::Authority;
use rustls::pki_types::ServerName;

/// Where a server listens: a TCP port of a host, or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// A name, an IPv4 address, or an IPv6 address without brackets; and a port.
    Host(Box<str>, u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl ServerAddress {
    /// The `host[:port]` of a URL, the host in lower case. `None` without a host, for a port that
    /// is none, and with user information.
    pub fn from_authority(authority: &Authority, default_port: u16) -> Option<Self> {
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        // a number that is no port is none to `Authority::port`
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" => Some(default_port),
            port => port.strip_prefix(':')?.parse().ok(),
        };
        let port = port.filter(|port| *port != 0)?;
        (!host.is_empty()).then(|| Self::Host(host.into(), port))
    }

    /// The name that the server's certificate must be for; `None` for a Unix socket, and for a host that no certificate
    /// can be for.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Host(host, _) => ServerName::try_from(host.to_string()).ok(),
            Self::Unix(_) => None,
        }
    }
}

/// `host:port`, with an IPv6 address in brackets, or `unix:/path`.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
