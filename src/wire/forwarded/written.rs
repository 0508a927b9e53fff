//! What the upstream is told of the proxies before the gateway.

use std::net::IpAddr;

use http::HeaderValue;

use super::field::Element;
use crate::wire::Peer;

/// `unknown` (RFC 7239, section 6.2): in `X-Real-IP`, and in `X-Forwarded-For` in place of what is no text.
pub(super) const UNKNOWN: &str = "unknown";

/// `X-Forwarded-For` of entries whose last one comes first, with the peer behind them.
pub(super) fn chain_field(mut entries: Vec<String>, peer: &Peer) -> HeaderValue {
    entries.reverse();
    entries.push(peer.address().to_string());
    HeaderValue::from_str(&entries.join(", ")).unwrap_or_else(|_| peer.field().clone())
}

/// `Forwarded` of elements whose last one comes first, with the gateway's own behind them. What is malformed, and what
/// stands to the left of it, is left out: it could swallow what is appended.
pub(super) fn forwarded_field(elements: &[Element<'_>], peer: &Peer) -> Option<HeaderValue> {
    let mut field = Vec::new();
    for element in elements
        .iter()
        .rev()
        .filter(|element| !element.text.is_empty())
    {
        field.extend_from_slice(element.text);
        field.extend_from_slice(b", ");
    }
    let node = match peer.address() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let own = format!("for={node};proto={}", peer.scheme().as_str());
    field.extend_from_slice(own.as_bytes());
    HeaderValue::from_bytes(&field).ok()
}
