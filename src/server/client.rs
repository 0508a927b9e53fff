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
    fields: FieldsFrom,
}

/// Who writes the fields of a client's requests.
#[derive(Clone, Copy)]
enum FieldsFrom {
    /// The client itself, at its address.
    Client,
    /// The proxy at this address, which introduces the client.
    Proxy(IpAddr),
    /// Somebody whom a proxy does not name: nothing is believed.
    Unnamed,
}

/// What a proxy says about its client before the first byte of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Introduction {
    /// The client's address; `None` where the proxy names nobody, as for its own checks: then the proxy's counts.
    pub(super) source: Option<SocketAddr>,
    /// Whether the client reached the proxy over TLS, as far as the proxy says.
    pub(super) over_tls: bool,
}

impl Introduction {
    /// Whether the proxy at this address names another client than itself, as some write their own address for their checks.
    pub(super) fn is_another_than(self, proxy: SocketAddr) -> bool {
        let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
        self.source
            .is_some_and(|source| canonical(source) != canonical(proxy))
    }
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

    /// The same failure in a handshake of a trusted proxy that speaks for itself: its health checks end amidst of one.
    pub(super) fn of_check(self) -> Self {
        match self {
            Self::Refused(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Gone,
            Self::Refused(error) => Self::at_start(error),
            Self::Gone => Self::Gone,
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
            fields: FieldsFrom::Client,
        }
    }

    /// The client of a proxy at this address, which sends a header, over a connection of this scheme.
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
            address: source.unwrap_or(by),
            scheme: if is_https { Scheme::Https } else { connection },
            fields: match (is_http, source) {
                (true, Some(_)) => FieldsFrom::Proxy(by.ip()),
                // what a proxy of HTTP sends without a client is its own, as a client's is behind one of TCP
                (true, None) | (false, Some(_)) => FieldsFrom::Client,
                (false, None) => FieldsFrom::Unnamed,
            },
        }
    }

    /// The peer of its requests.
    pub(super) fn peer(self) -> Peer {
        let peer = Peer::new(self.address, self.scheme);
        match self.fields {
            FieldsFrom::Client => peer,
            FieldsFrom::Proxy(proxy) => peer.introduced_by(proxy),
            FieldsFrom::Unnamed => peer.for_somebody(),
        }
    }

    /// An IPv4 address that arrives over IPv6 counts as IPv4.
    pub(super) fn ip(self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}
