//! What the configuration says about a service's upstream.

use std::fmt;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};

/// The `upstream` block of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The server to forward to.
    pub origin: Origin,
    /// How long its steps may take.
    pub timeouts: Timeouts,
    /// How often a request that cannot have had an effect is tried again; default 1.
    pub retries: u32,
    /// Which `Host` the upstream sees.
    pub host: HostHeader,
}

/// Scheme, host and port of an upstream server, such as `http://127.0.0.1:9000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    host: Box<str>,
    port: u16,
}

/// How long the steps towards an upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the decision to an established connection; default 2 s.
    pub connect: Duration,
    /// From the end of the request to the head of the answer; default 60 s.
    pub response: Duration,
    /// How long an unused connection is kept; default 90 s.
    pub idle: Duration,
}

/// Which `Host` the upstream sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The client's.
    #[default]
    Preserve,
    /// The upstream's own host and port.
    Upstream,
}

/// Why a text is no upstream server; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Not `scheme://host[:port]`.
    Malformed,
    /// `https://`, `h2c://` or `unix:`.
    Unavailable(&'static str),
    /// Some other scheme.
    Scheme(String),
    /// A path, query or user name behind or before the host.
    Extra,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), response: Duration::from_secs(60), idle: Duration::from_secs(90) }
    }
}

impl Origin {
    /// Parses `http://host[:port]`.
    ///
    /// # Errors
    /// [`OriginError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        for scheme in ["https://", "h2c://", "unix:"] {
            if text.starts_with(scheme) {
                return Err(OriginError::Unavailable(scheme));
            }
        }
        let uri: Uri = text.parse().map_err(|_| OriginError::Malformed)?;
        let scheme = uri.scheme().ok_or(OriginError::Malformed)?;
        if scheme != &Scheme::HTTP {
            return Err(OriginError::Scheme(scheme.as_str().to_owned()));
        }
        let authority = uri.authority().ok_or(OriginError::Malformed)?;
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(OriginError::Extra);
        }
        Ok(Self { host: host_of(authority)?, port: port_of(authority)? })
    }

    /// The host: a name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 where none is written.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn host_of(authority: &Authority) -> Result<Box<str>, OriginError> {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() { Err(OriginError::Malformed) } else { Ok(host.to_ascii_lowercase().into()) }
}

fn port_of(authority: &Authority) -> Result<u16, OriginError> {
    match authority.port() {
        None if authority.as_str().ends_with(':') => Err(OriginError::Malformed),
        None => Ok(80),
        Some(port) => Some(port.as_u16()).filter(|port| *port != 0).ok_or(OriginError::Malformed),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not an upstream server; write `http://host:port`"),
            Self::Unavailable(scheme) => {
                write!(f, "an upstream of `{scheme}` is not available in this version; write `http://host:port`")
            }
            Self::Scheme(scheme) => write!(f, "the scheme `{scheme}` is unknown; write `http://host:port`"),
            Self::Extra => f.write_str("only `http://host:port`, without a user name, a path or a query"),
        }
    }
}

impl std::error::Error for OriginError {}
