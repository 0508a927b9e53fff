//! Where a request comes from, as far as it is believed.

use std::fmt;
use std::net::IpAddr;

/// The address of the client that sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// The nearest address that is no trusted proxy.
    Known(IpAddr),
    /// A trusted proxy does not say, or not readably, who its client is. An unknown address lies in no network.
    Unknown,
}

impl ClientAddress {
    /// The address; `None` where it is unknown.
    pub fn known(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::Unknown => None,
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self::Known(address)
    }
}

impl From<Option<IpAddr>> for ClientAddress {
    fn from(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Unknown, Self::Known)
    }
}

/// The address, or `unknown` (RFC 7239, section 6.2).
impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(address) => address.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
