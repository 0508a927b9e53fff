//! What other proxies say about the client, and which of them are believed.

mod element;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::peer::{Peer, Scheme, address_field};

/// `X-Forwarded-For`.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`.
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `X-Forwarded-Host`.
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// `X-Forwarded-Port`.
pub(super) const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// `X-Forwarded-Prefix`.
pub(super) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// `X-Real-IP`.
pub(super) const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// `server.trusted_proxies`: whose word about the client counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Where a request comes from, as far as it can be believed.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    /// The nearest address that is no trusted proxy.
    pub address: IpAddr,
    /// Whether the peer's `X-Forwarded-*` and `Forwarded` are believed.
    pub from_trusted_proxy: bool,
    /// How the peer reaches the gateway.
    scheme: Scheme,
    /// `X-Forwarded-For` for the upstream.
    chain: HeaderValue,
    /// `X-Real-IP` for the upstream.
    real_ip: HeaderValue,
}

/// The fields of a trusted proxy in front that describe the original request.
#[derive(Clone, Debug, Default)]
pub struct SaidByProxy {
    proto: Option<HeaderValue>,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
    prefix: Option<HeaderValue>,
    /// `Forwarded` for the upstream; only where the proxies speak it (RFC 7239).
    forwarded: Option<HeaderValue>,
}

impl TrustedProxies {
    /// Believes proxies whose address lies in one of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this peer is believed.
    pub fn trust(&self, peer: &Peer) -> bool {
        self.contains(peer.address())
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who the client is, and what trusted proxies say of its request. Where they send `X-Forwarded-For` it counts, and
    /// otherwise `Forwarded` (RFC 7239); both are walked from the right for as long as trusted proxies speak.
    pub fn client(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> (ClientAddress, Option<Box<SaidByProxy>>) {
        let scheme = peer.scheme();
        if !self.trust(peer) {
            let (address, field) = (peer.address(), peer.field());
            let (chain, real_ip) = (field.clone(), field.clone());
            let client = ClientAddress {
                address,
                from_trusted_proxy: false,
                scheme,
                chain,
                real_ip,
            };
            return (client, None);
        }
        let mut said = SaidByProxy::read(headers);
        let (address, addresses) = match said_chain(headers) {
            chain if !chain.is_empty() => (self.walk(peer.address(), &chain).0, chain),
            _ => self.believe_forwarded(peer, headers, &mut said),
        };
        let chain = extended(&addresses, peer);
        let real_ip = address_field(address);
        (
            ClientAddress {
                address,
                from_trusted_proxy: true,
                scheme,
                chain,
                real_ip,
            },
            Some(Box::new(said)),
        )
    }

    /// Who the client is by `Forwarded`, and every address on the way. Scheme and host are those of the proxy that met
    /// the client.
    fn believe_forwarded(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        said: &mut SaidByProxy,
    ) -> (IpAddr, Vec<String>) {
        let elements = element::read(headers);
        let addresses: Vec<String> = elements
            .iter()
            .map(|element| element.node().to_owned())
            .collect();
        let (address, believed) = self.walk(peer.address(), &addresses);
        if let Some(first) = elements
            .len()
            .checked_sub(believed)
            .and_then(|at| elements.get(at))
        {
            said.proto = first.proto().or(said.proto.take());
            said.host = first.host().or(said.host.take());
            said.forwarded = element::extend(headers, peer);
        }
        (address, addresses)
    }

    /// The first address from the right that is not trusted, and how many entries were believed; an entry that is no
    /// address ends the walk before it.
    fn walk(&self, peer: IpAddr, said: &[String]) -> (IpAddr, usize) {
        let (mut nearest, mut believed) = (peer, 0);
        for entry in said.iter().rev() {
            if !self.contains(nearest) {
                break;
            }
            let Some(address) = parse_entry(entry) else {
                break;
            };
            nearest = address;
            believed += 1;
        }
        (nearest, believed)
    }
}

/// All entries of all `X-Forwarded-For` lines, from the left.
fn said_chain(headers: &HeaderMap) -> Vec<String> {
    let lines = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(|entry| entry.trim().to_owned())
        .filter(|entry| !entry.is_empty())
        .collect()
}

fn extended(said: &[String], peer: &Peer) -> HeaderValue {
    let mut chain = said.join(", ");
    if !chain.is_empty() {
        chain.push_str(", ");
    }
    chain.push_str(&peer.address().to_string());
    HeaderValue::from_str(&chain).unwrap_or_else(|_| peer.field().clone())
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(entry);
    let address = bare
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

impl ClientAddress {
    /// Sets `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`, `-Prefix`, `Forwarded` and `X-Real-IP` for the upstream. `host` is
    /// the request's own, `stripped` the path that was taken off.
    pub fn set_fields(
        &self,
        fields: &mut HeaderMap,
        said: Option<Box<SaidByProxy>>,
        host: &HeaderValue,
        stripped: Option<&str>,
    ) {
        let said = said.map(|said| *said).unwrap_or_default();
        let prefix = said.prefix_before(stripped);
        fields.insert(X_FORWARDED_FOR, self.chain.clone());
        fields.insert(X_REAL_IP, self.real_ip.clone());
        fields.insert(X_FORWARDED_PROTO, said.proto.unwrap_or(self.scheme.field()));
        fields.insert(X_FORWARDED_HOST, said.host.unwrap_or_else(|| host.clone()));
        for (name, value) in [
            (X_FORWARDED_PORT, said.port),
            (X_FORWARDED_PREFIX, prefix),
            (FORWARDED, said.forwarded),
        ] {
            if let Some(value) = value {
                fields.insert(name, value);
            }
        }
    }
}

impl SaidByProxy {
    /// Reads them; of several lines none counts, nor does what is no scheme, port or path.
    fn read(headers: &HeaderMap) -> Self {
        let one = |name: &HeaderName, sound: fn(&[u8]) -> bool| {
            let mut values = headers.get_all(name).iter();
            values
                .next()
                .filter(|value| values.next().is_none() && sound(value.as_bytes()))
                .cloned()
        };
        Self {
            proto: one(&X_FORWARDED_PROTO, is_scheme),
            host: one(&X_FORWARDED_HOST, |_| true),
            port: one(&X_FORWARDED_PORT, |port| {
                port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
            }),
            prefix: one(&X_FORWARDED_PREFIX, |prefix| prefix.first() == Some(&b'/')),
            forwarded: None,
        }
    }

    /// How the client reached the proxy, where it says so.
    pub fn scheme(&self) -> Option<Scheme> {
        let proto = self.proto.as_ref()?;
        Some(if proto == Scheme::Https.as_str() {
            Scheme::Https
        } else {
            Scheme::Http
        })
    }

    /// The `Host` that the client sent, where the proxy says so.
    pub fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }

    /// What was taken off the path by all proxies together.
    fn prefix_before(&self, stripped: Option<&str>) -> Option<HeaderValue> {
        let Some(own) = stripped else {
            return self.prefix.clone();
        };
        let before = self
            .prefix
            .as_ref()
            .and_then(|prefix| prefix.to_str().ok())
            .unwrap_or_default();
        HeaderValue::try_from(format!("{}{own}", before.trim_end_matches('/'))).ok()
    }
}

fn is_scheme(text: &[u8]) -> bool {
    matches!(text, b"http" | b"https")
}
