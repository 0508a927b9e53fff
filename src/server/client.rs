//! The client of a connection: its address, its protocol, and why a connection ends before HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::stream::Stream;
use crate::config::{ProxiedTls, ProxyMode, ProxyProtocol};
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
    address: SocketAddr,
    scheme: Scheme,
    /// The proxy that introduces it and writes its fields.
    proxy: Option<IpAddr>,
}

/// What a proxy says about its client before the first byte of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Introduction {
    /// The client's address.
    pub(super) source: SocketAddr,
    /// Whether the client reached the proxy over TLS, as far as the proxy says.
    pub(super) over_tls: bool,
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

impl Failure {
    /// A failure to read the first bytes: the health checks of load balancers reset connections, too.
    pub(super) fn at_start(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        if matches!(
            error.kind(),
            ConnectionReset | ConnectionAborted | BrokenPipe
        ) {
            Self::Gone
        } else {
            Self::Refused(error)
        }
    }

    pub(super) fn malformed(what: &'static str) -> Self {
        Self::Refused(io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

impl Client {
    /// Whoever has connected.
    pub(super) fn direct(address: SocketAddr, scheme: Scheme) -> Self {
        Self {
            address,
            scheme,
            proxy: None,
        }
    }

    /// The client that a proxy at this address introduces, over a connection of this scheme.
    pub(super) fn introduced(
        by: SocketAddr,
        Introduction { source, over_tls }: Introduction,
        connection: Scheme,
        settings: ProxyProtocol,
    ) -> Self {
        let is_https = match settings.tls {
            ProxiedTls::Auto => over_tls,
            ProxiedTls::Always => true,
            ProxiedTls::Never => false,
        };
        let is_http = match settings.mode {
            // TLS that ends here and not at the proxy is the client's, and so is all that it carries
            ProxyMode::Auto => connection == Scheme::Http || over_tls,
            ProxyMode::Http => true,
            ProxyMode::Tcp => false,
        };
        Self {
            address: source,
            scheme: if is_https { Scheme::Https } else { connection },
            proxy: is_http.then(|| by.ip()),
        }
    }

    /// The peer of its requests.
    pub(super) fn peer(self) -> Peer {
        let peer = Peer::new(self.address, self.scheme);
        match self.proxy {
            Some(proxy) => peer.introduced_by(proxy),
            None => peer,
        }
    }

    /// An IPv4 address that arrives over IPv6 counts as IPv4.
    pub(super) fn ip(self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}
