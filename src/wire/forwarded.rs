//! What other proxies say about the client, and which of them are believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::peer::{Peer, address_field};

/// `X-Forwarded-For`.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`.
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `X-Forwarded-Host`.
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
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
    /// Whether the peer's `X-Forwarded-*` are believed.
    pub from_trusted_proxy: bool,
    /// `X-Forwarded-For` for the upstream.
    pub(super) chain: HeaderValue,
    /// `X-Real-IP` for the upstream.
    pub(super) real_ip: HeaderValue,
}

impl TrustedProxies {
    /// Believes proxies whose address lies in one of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Walks `X-Forwarded-For` from the right for as long as trusted proxies speak.
    pub fn client(&self, peer: &Peer, headers: &HeaderMap) -> ClientAddress {
        if !self.contains(peer.address()) {
            let field = peer.field().clone();
            return ClientAddress {
                address: peer.address(),
                from_trusted_proxy: false,
                chain: field.clone(),
                real_ip: field,
            };
        }
        let said = said_chain(headers);
        let address = self.walk(peer.address(), &said);
        ClientAddress {
            address,
            from_trusted_proxy: true,
            chain: extended(&said, peer),
            real_ip: address_field(address),
        }
    }

    /// The first address from the right that is not trusted; an entry that is no address ends the walk before it.
    fn walk(&self, peer: IpAddr, said: &[String]) -> IpAddr {
        let mut nearest = peer;
        for entry in said.iter().rev() {
            if !self.contains(nearest) {
                break;
            }
            let Some(address) = parse_entry(entry) else { break };
            nearest = address;
        }
        nearest
    }
}

/// All entries of all `X-Forwarded-For` lines, from the left.
fn said_chain(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
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
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

impl ClientAddress {
    /// Sets `X-Forwarded-For`, `-Proto`, `-Host` and `X-Real-IP` for the upstream. `said` are the client's own fields,
    /// of which only a trusted proxy's are passed on.
    pub fn set_fields(&self, fields: &mut HeaderMap, said: &SaidByProxy, host: &HeaderValue) {
        let trusted = |value: &Option<HeaderValue>| value.clone().filter(|_| self.from_trusted_proxy);
        fields.insert(X_FORWARDED_FOR, self.chain.clone());
        fields.insert(X_REAL_IP, self.real_ip.clone());
        fields.insert(X_FORWARDED_PROTO, trusted(&said.proto).unwrap_or(HeaderValue::from_static("http")));
        fields.insert(X_FORWARDED_HOST, trusted(&said.host).unwrap_or_else(|| host.clone()));
    }
}

/// The fields of a proxy in front that describe the original request.
#[derive(Clone, Debug, Default)]
pub struct SaidByProxy {
    proto: Option<HeaderValue>,
    host: Option<HeaderValue>,
}

impl SaidByProxy {
    /// Reads them; a protocol other than `http` and `https` is not one, and of several lines none counts.
    pub fn read(headers: &HeaderMap) -> Self {
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none()).cloned()
        };
        Self {
            proto: one(&X_FORWARDED_PROTO).filter(|value| matches!(value.as_bytes(), b"http" | b"https")),
            host: one(&X_FORWARDED_HOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Scheme;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> (String, String) {
        let trusted = TrustedProxies::new(trusted.iter().map(|net| net.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let client = trusted.client(&Peer::new(SocketAddr::new(peer.parse().unwrap(), 1), Scheme::Http), &headers);
        (client.address.to_string(), client.chain.to_str().unwrap().to_owned())
    }

    /// Trusted networks, peer, `X-Forwarded-For` lines; the client, and the chain for the upstream.
    type Case<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a str, &'a str);

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let net: &[&str] = &["10.0.0.0/8", "fd00::/8"];
        let cases: &[Case<'_>] = &[
            (&[], "10.0.0.1", &["1.1.1.1"], "10.0.0.1", "10.0.0.1"),
            (net, "192.0.2.9", &["1.1.1.1"], "192.0.2.9", "192.0.2.9"),
            (net, "10.0.0.1", &[], "10.0.0.1", "10.0.0.1"),
            (net, "10.0.0.1", &["1.1.1.1"], "1.1.1.1", "1.1.1.1, 10.0.0.1"),
            (net, "10.0.0.1", &["9.9.9.9, 1.1.1.1"], "1.1.1.1", "9.9.9.9, 1.1.1.1, 10.0.0.1"),
            (net, "10.0.0.1", &["9.9.9.9", "1.1.1.1, 10.2.2.2"], "1.1.1.1", "9.9.9.9, 1.1.1.1, 10.2.2.2, 10.0.0.1"),
            (net, "10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1", "1.1.1.1, unknown, 10.0.0.1"),
            (net, "10.0.0.1", &["1.1.1.1:4711"], "1.1.1.1", "1.1.1.1:4711, 10.0.0.1"),
            (net, "fd00::1", &["[2001:db8::7]:80"], "2001:db8::7", "[2001:db8::7]:80, fd00::1"),
            (net, "::ffff:10.0.0.1", &["::ffff:1.1.1.1"], "1.1.1.1", "::ffff:1.1.1.1, 10.0.0.1"),
            (net, "10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2", "10.0.0.2, 10.0.0.3, 10.0.0.1"),
        ];
        for (trusted, peer, lines, address, chain) in cases {
            assert_eq!(client(trusted, peer, lines), ((*address).to_owned(), (*chain).to_owned()), "{peer} {lines:?}");
        }
    }
}
