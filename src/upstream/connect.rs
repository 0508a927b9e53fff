//! Connections to upstream servers, and which protocol they carry.

use std::time::Duration;

use super::error::ForwardError;
use super::origin::{Origin, Speaks};
use crate::net::{Alpn, DialedStream, Dialer, TlsSettings};

/// The protocol of an upstream connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpstreamProtocol {
    Http1,
    Http2,
}

/// Connects to a server before `limit` has passed. The protocol is that of its scheme; over TLS what the handshake agreed
/// on, and HTTP/1.1 with a server that takes no part in ALPN.
pub(super) async fn connect(
    dialer: &Dialer,
    origin: &Origin,
    tls: Option<&TlsSettings>,
    alpn: Alpn,
    limit: Duration,
) -> Result<(DialedStream, UpstreamProtocol), ForwardError> {
    let tls = tls.filter(|_| origin.speaks() == Speaks::Tls);
    let tls = tls.map(|tls| (tls, alpn));
    let stream = dialer
        .connect(origin.address(), tls, limit)
        .await
        .map_err(ForwardError::Dial)?;
    let protocol = match origin.speaks() {
        Speaks::Http2 => UpstreamProtocol::Http2,
        Speaks::Tls if stream.alpn() == Some(b"h2") => UpstreamProtocol::Http2,
        Speaks::Tls | Speaks::Http1 => UpstreamProtocol::Http1,
    };
    Ok((stream, protocol))
}

/// Checks that a server takes connections, and TLS where it speaks it.
///
/// # Errors
/// [`ForwardError`] where it does not before `limit` has passed.
pub async fn reach(
    origin: &Origin,
    tls: Option<&TlsSettings>,
    limit: Duration,
) -> Result<(), ForwardError> {
    let alpn = Alpn::Http2OrHttp1;
    connect(&Dialer::default(), origin, tls, alpn, limit)
        .await
        .map(drop)
}
