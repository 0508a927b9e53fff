//! Why there is no connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why there is no connection to a server.
#[derive(Clone, Debug)]
pub enum DialError {
    /// The name has no address, or could not be looked up.
    Resolve {
        /// The name.
        host: Box<str>,
        /// What the name servers answered, or that they did not.
        reason: String,
    },
    /// Every address refused the connection.
    Connect(DialAttempts),
    /// No connection was made before the deadline, the TLS handshake included.
    TimedOut(DialAttempts),
    /// The TLS handshake failed: most of the time, the certificate is not one that is trusted.
    Tls(DialAttempts),
}

/// The addresses that were tried, in the order in which they were.
#[derive(Clone, Debug, Default)]
pub struct DialAttempts(pub(super) Vec<DialAttempt>);

/// One address that was tried.
#[derive(Clone, Debug)]
pub struct DialAttempt {
    /// Such as `192.0.2.1:443` or `unix:/run/app.sock`.
    pub address: String,
    /// Why there is no connection to it; `None`: it has not answered yet.
    pub error: Option<Arc<io::Error>>,
}

impl DialAttempts {
    /// The only address there is, and why it failed.
    pub(super) fn failed(address: impl fmt::Display, error: io::Error) -> Self {
        Self(vec![DialAttempt {
            address: address.to_string(),
            error: Some(Arc::new(error)),
        }])
    }
}

impl fmt::Display for DialAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{error} at {}", self.address),
            None => write!(f, "no answer from {}", self.address),
        }
    }
}

impl fmt::Display for DialAttempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_first() {
            None => f.write_str("no answer from the name servers"),
            Some((first, others)) => {
                first.fmt(f)?;
                others.iter().try_for_each(|other| write!(f, "; {other}"))
            }
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, reason } => write!(f, "`{host}` cannot be resolved: {reason}"),
            Self::Connect(attempts) => write!(f, "no connection: {attempts}"),
            Self::TimedOut(attempts) => write!(f, "no connection in time: {attempts}"),
            Self::Tls(attempts) => write!(f, "no TLS connection: {attempts}"),
        }
    }
}

impl Error for DialError {}
