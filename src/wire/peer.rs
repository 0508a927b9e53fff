//! The other end of a client connection.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;

/// Who connected, with the text that every request of the connection needs.
#[derive(Clone, Debug)]
pub struct Peer {
    address: IpAddr,
    text: HeaderValue,
}

impl Peer {
    /// The peer of an accepted connection. An IPv4 address that arrives over IPv6 counts as IPv4.
    pub fn new(address: SocketAddr) -> Self {
        let address = address.ip().to_canonical();
        Self { address, text: address_field(address) }
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Its address as a field value.
    pub fn field(&self) -> &HeaderValue {
        &self.text
    }
}

/// An address as a field value.
pub(super) fn address_field(address: IpAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).expect("an address is visible ASCII")
}
