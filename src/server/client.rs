//! The client of a connection: its address, its protocol, and why a connection ends before HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::stream::Stream;
use crate::wire::{Peer, Scheme};

/// An accepted connection.
pub(super) struct Accepted {
    pub(super) stream: Stream,
    /// The peer address of the socket; behind a proxy the client has another one.
    pub(super) address: SocketAddr,
}

/// The client of a connection.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) scheme: Scheme,
}

/// The protocol of a client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientProtocol {
    /// HTTP/1.1 or HTTP/1.0.
    Http1,
    /// HTTP/2, with or without TLS.
    Http2,
}

/// Why a connection ends before HTTP.
pub(super) enum Failure {
    /// It ended before it had begun, as the checks of load balancers do, or the gateway ends.
    Gone,
    /// It sent something malformed, or nothing in time.
    Refused(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

impl Client {
    /// The peer of its requests.
    pub(super) fn peer(self) -> Peer {
        Peer::new(self.address, self.scheme)
    }

    /// An IPv4 address that arrives over IPv6 counts as IPv4.
    pub(super) fn ip(self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}
