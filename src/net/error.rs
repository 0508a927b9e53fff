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

/// What a TLS handshake fails for, as far as it matters to whoever has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate of the server has expired.
    Expired,
    /// The certificate of the server is not valid yet: often one of the clocks is wrong.
    NotYetValid,
    /// Nobody who is trusted has issued the certificate of the server.
    UnknownIssuer,
    /// The certificate of the server is for another name.
    WrongName,
    /// Something else is wrong with the certificate of the server.
    Certificate,
    /// The server ends the handshake with an alert, such as for want of a client certificate.
    Alert,
    /// Anything else: no TLS, no version or cipher in common, a connection that ends.
    Handshake,
}

impl TlsFailure {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 7] = [
        Self::Expired,
        Self::NotYetValid,
        Self::UnknownIssuer,
        Self::WrongName,
        Self::Certificate,
        Self::Alert,
        Self::Handshake,
    ];

    /// A short, fixed name, for what counts and groups.
    pub fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::UnknownIssuer => "unknown_issuer",
            Self::WrongName => "wrong_name",
            Self::Certificate => "certificate",
            Self::Alert => "alert",
            Self::Handshake => "handshake",
        }
    }

    /// What TLS failed for, where an error is of that, or has such a cause. A server that is told the client's certificate
    /// in TLS 1.3 refuses it behind the handshake.
    pub fn cause_of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return io.get_ref()?.is::<rustls::Error>().then(|| Self::of(io));
            }
            next = error.source();
        }
        None
    }

    fn of(error: &io::Error) -> Self {
        use rustls::{CertificateError as Fault, Error};
        let error = error.get_ref().and_then(|error| error.downcast_ref());
        let fault = match error {
            Some(Error::InvalidCertificate(fault)) => fault,
            Some(Error::AlertReceived(_)) => return Self::Alert,
            Some(_) | None => return Self::Handshake,
        };
        if matches!(fault, Fault::Expired | Fault::ExpiredContext { .. }) {
            Self::Expired
        } else if matches!(fault, Fault::NotValidYet | Fault::NotValidYetContext { .. }) {
            Self::NotYetValid
        } else if matches!(fault, Fault::UnknownIssuer) {
            Self::UnknownIssuer
        } else if matches!(
            fault,
            Fault::NotValidForName | Fault::NotValidForNameContext { .. }
        ) {
            Self::WrongName
        } else {
            Self::Certificate
        }
    }
}

impl DialError {
    /// What the TLS handshake failed for; `None` where it was not the handshake that failed.
    pub fn tls_failure(&self) -> Option<TlsFailure> {
        match self {
            Self::Tls(attempts) => {
                let error = attempts
                    .0
                    .iter()
                    .find_map(|attempt| attempt.error.as_deref());
                Some(error.map_or(TlsFailure::Handshake, TlsFailure::of))
            }
            Self::Resolve { .. } | Self::Connect(_) | Self::TimedOut(_) => None,
        }
    }
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

/// Whether a server shows the certificate of an authority as its own, such as one that it signed itself.
fn is_of_authority(error: &io::Error) -> bool {
    use rustls::{CertificateError, Error};
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    let Some(Error::InvalidCertificate(CertificateError::Other(other))) = error else {
        return false;
    };
    let fault = other.0.downcast_ref();
    matches!(fault, Some(webpki::Error::CaUsedAsEndEntity))
}

impl fmt::Display for DialAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) if is_of_authority(error) => write!(
                f,
                "invalid peer certificate: that of an authority, such as one that the server signed itself, and not one that `ca` names, at {}",
                self.address
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_an_authority_is_named_in_words() {
        let fault = rustls::OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity));
        let fault = rustls::CertificateError::Other(fault);
        let error = io::Error::other(rustls::Error::InvalidCertificate(fault));
        let said = DialError::Tls(DialAttempts::failed("10.0.0.1:443", error)).to_string();
        assert_eq!(
            said,
            "no TLS connection: invalid peer certificate: that of an authority, such as one that the server signed itself, and not one that `ca` names, at 10.0.0.1:443"
        );
    }
}
