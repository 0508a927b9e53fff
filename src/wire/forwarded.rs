//! What other proxies state about the client, and which of them are believed.

mod field;
mod stated_scheme;
mod written;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use self::field::{Element, elements, parse_address, values_from_the_right};
pub use self::stated_scheme::StatedScheme;
use self::written::{UNKNOWN, chain_field, forwarded_field};
use super::host::Host;
use super::peer::{Peer, Scheme, address_field};
use crate::access::{ClientAddress, PathOptions, RequestPath};

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

/// `server.forwarded`: which fields of a trusted proxy count. A proxy writes one kind and passes on what its client
/// sent of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedFields {
    /// `X-Forwarded-*` where `X-Forwarded-For` is present, else `Forwarded`.
    #[default]
    Auto,
    /// `X-Forwarded-*`; `Forwarded` is ignored.
    XForwarded,
    /// `Forwarded` (RFC 7239); `X-Forwarded-*` are ignored.
    Forwarded,
}

/// `server.trusted_proxies`: the networks of the proxies that are believed, and the fields that they write.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    fields: ForwardedFields,
}

/// The client of a request, and what the upstream is told about it.
#[derive(Clone, Debug)]
pub struct ForwardedClient {
    /// The nearest address that is no trusted proxy.
    pub address: ClientAddress,
    /// Whether the peer's `X-Forwarded-*` and `Forwarded` are believed.
    pub from_trusted_proxy: bool,
    /// Whether a trusted proxy states an address at all, readable or not.
    is_stated: bool,
    /// The peer of the connection.
    peer: IpAddr,
    /// How the peer reaches the gateway.
    scheme: Scheme,
    /// `X-Forwarded-For` for the upstream.
    chain: HeaderValue,
    /// `X-Real-IP` for the upstream.
    real_ip: HeaderValue,
}

/// What trusted proxies state about the original request besides its client.
#[derive(Clone, Debug, Default)]
pub struct ForwardedInfo {
    /// The scheme that counts.
    scheme: StatedScheme,
    /// That of `X-Forwarded-Proto`, whether these fields count or not.
    proto: StatedScheme,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
    prefix: Option<HeaderValue>,
    /// `Forwarded` for the upstream; only where the proxies write it (RFC 7239).
    forwarded: Option<HeaderValue>,
}

/// What a proxy that asks about a request states about its client.
pub(super) struct StatedClient {
    /// The nearest address that is no trusted proxy.
    pub(super) address: ClientAddress,
    /// How the client came, where a field says so.
    pub(super) scheme: StatedScheme,
    /// Whether the proxy that asks has the request from another trusted proxy.
    pub(super) is_behind_proxy: bool,
}

/// Where a walk over the proxies' entries, from the right, ends.
struct Walk {
    address: ClientAddress,
    /// How many entries trusted proxies wrote, the one that is no address included.
    visited: usize,
}

impl TrustedProxies {
    /// Believes proxies whose address lies in one of these networks.
    pub fn new(networks: Vec<IpNet>, fields: ForwardedFields) -> Self {
        Self { networks, fields }
    }

    /// Whether this peer is believed.
    pub fn trust(&self, peer: &Peer) -> bool {
        peer.speaker().is_some_and(|speaker| self.contains(speaker))
    }

    fn contains(&self, address: IpAddr) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|network| network.contains(&address))
    }

    /// Who the client is, and what trusted proxies state about its request; `None` where the peer is no trusted proxy.
    ///
    /// The entries are walked from the right for as long as trusted proxies wrote them. An entry of a trusted proxy
    /// that is no address makes the client unknown: it is neither the proxy nor somebody further left.
    pub fn client(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> (ForwardedClient, Option<Box<ForwardedInfo>>) {
        if !self.trust(peer) {
            let address = peer.address().into();
            let client = ForwardedClient::new(peer, address, peer.field().clone());
            return (client, None);
        }
        let (client, info) = if self.counts_forwarded(headers) {
            self.believe_forwarded(peer, headers)
        } else {
            self.believe_x_forwarded(peer, headers)
        };
        (client, Some(Box::new(info)))
    }

    /// Who the client is for a trusted proxy that names the address which it got the request from, as its own settings have
    /// it. Where that is a trusted proxy as well, the fields say who came before; the last entry may be the same address once
    /// more.
    pub(super) fn stated_client(
        &self,
        source: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> StatedClient {
        let Some(source) = source else {
            return StatedClient {
                address: ClientAddress::Unknown,
                scheme: x_forwarded_proto(headers, 1),
                is_behind_proxy: false,
            };
        };
        let repeats = |first: Option<Option<IpAddr>>| first == Some(Some(source));
        let walk = if self.counts_forwarded(headers) {
            let mut entries = elements(headers).map(|element| element?.address).peekable();
            let skipped = usize::from(repeats(entries.peek().copied()));
            self.walk(source, entries.skip(skipped))
        } else {
            let mut entries = values_from_the_right(headers, &X_FORWARDED_FOR)
                .map(parse_address)
                .peekable();
            let skipped = usize::from(repeats(entries.peek().copied()));
            self.walk(source, entries.skip(skipped))
        };
        StatedClient {
            address: walk.address,
            scheme: x_forwarded_proto(headers, walk.visited + 1),
            is_behind_proxy: self.contains(source),
        }
    }

    fn counts_forwarded(&self, headers: &HeaderMap) -> bool {
        match self.fields {
            ForwardedFields::Forwarded => true,
            ForwardedFields::XForwarded => false,
            ForwardedFields::Auto => {
                headers.contains_key(FORWARDED) && !headers.contains_key(X_FORWARDED_FOR)
            }
        }
    }

    fn believe_x_forwarded(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> (ForwardedClient, ForwardedInfo) {
        let entries = || values_from_the_right(headers, &X_FORWARDED_FOR);
        let walk = self.walk(peer.address(), entries().map(parse_address));
        let chain = entries().map(|entry| {
            let text = std::str::from_utf8(entry).ok();
            text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
                .unwrap_or(UNKNOWN)
                .to_owned()
        });
        let chain = chain_field(chain.collect(), peer);
        let client = ForwardedClient {
            from_trusted_proxy: true,
            is_stated: peer.is_introduced() || headers.contains_key(X_FORWARDED_FOR),
            ..ForwardedClient::new(peer, walk.address, chain)
        };
        (client, ForwardedInfo::read(headers, walk.visited))
    }

    /// Scheme and host are those of the outermost trusted proxy that states them: it met the client.
    fn believe_forwarded(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> (ForwardedClient, ForwardedInfo) {
        let addresses = elements(headers).map(|element| element?.address);
        let walk = self.walk(peer.address(), addresses);
        let sound: Vec<Element<'_>> = elements(headers).map_while(|element| element).collect();
        // a proxy that introduces its client is one that the walk does not meet
        let outermost = sound.iter().take(walk.visited.max(1)).next_back();
        let host = outermost.and_then(|element| Host::parse(element.host.as_ref()?));
        let stated = ForwardedInfo {
            scheme: outermost.map_or(StatedScheme::Absent, |element| element.scheme),
            proto: x_forwarded_proto(headers, walk.visited),
            host: host.map(|host| host.field().clone()),
            ..ForwardedInfo::default()
        };
        let is_stated = headers.contains_key(FORWARDED);
        let info = match self.fields {
            ForwardedFields::Auto => stated.or(ForwardedInfo::read(headers, walk.visited)),
            ForwardedFields::XForwarded | ForwardedFields::Forwarded => stated,
        };
        let info = ForwardedInfo {
            forwarded: is_stated.then(|| forwarded_field(&sound, peer)).flatten(),
            ..info
        };
        let address = |element: &Element<'_>| match element.address {
            Some(address) => address.to_string(),
            None => UNKNOWN.to_owned(),
        };
        let chain = chain_field(sound.iter().map(address).collect(), peer);
        let client = ForwardedClient {
            from_trusted_proxy: true,
            is_stated: is_stated || peer.is_introduced(),
            ..ForwardedClient::new(peer, walk.address, chain)
        };
        (client, info)
    }

    /// `entries` are those of the proxies on the way, the nearest proxy's first; `None` for one that is no address.
    fn walk(&self, peer: IpAddr, entries: impl Iterator<Item = Option<IpAddr>>) -> Walk {
        let (mut nearest, mut visited) = (peer, 0);
        for entry in entries {
            if !self.contains(nearest) {
                break;
            }
            visited += 1;
            let Some(address) = entry else {
                let address = ClientAddress::Unknown;
                return Walk { address, visited };
            };
            nearest = address;
        }
        let address = nearest.into();
        Walk { address, visited }
    }
}

impl ForwardedClient {
    fn new(peer: &Peer, address: ClientAddress, chain: HeaderValue) -> Self {
        Self {
            address,
            from_trusted_proxy: false,
            is_stated: false,
            peer: peer.address(),
            scheme: peer.scheme(),
            chain,
            real_ip: match address {
                ClientAddress::Known(known) if known == peer.address() => peer.field().clone(),
                ClientAddress::Known(known) => address_field(known),
                ClientAddress::Unknown => HeaderValue::from_static(UNKNOWN),
            },
        }
    }

    /// The address that login limits count, and that requests are spread by: that of the client, else of the peer.
    pub fn accountable_address(&self) -> IpAddr {
        self.address.known().unwrap_or(self.peer)
    }

    /// The client's address for a question at the forward-auth endpoint. Its peer is a proxy that asks for somebody else: where
    /// it does not say for whom, nobody knows the address.
    pub fn asked_for(&self) -> ClientAddress {
        if self.is_stated {
            self.address
        } else {
            ClientAddress::Unknown
        }
    }

    /// Sets `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`, `-Prefix`, `Forwarded` and `X-Real-IP` for the upstream. `host` is
    /// the request's own, `stripped` the path that was taken off.
    pub fn set_fields(
        &self,
        fields: &mut HeaderMap,
        info: Option<Box<ForwardedInfo>>,
        host: &HeaderValue,
        stripped: Option<&str>,
    ) {
        let info = info.map(|info| *info).unwrap_or_default();
        let prefix = info.prefix_before(stripped);
        let scheme = info.scheme().unwrap_or(self.scheme);
        fields.insert(X_FORWARDED_FOR, self.chain.clone());
        fields.insert(X_REAL_IP, self.real_ip.clone());
        fields.insert(X_FORWARDED_PROTO, scheme.field());
        fields.insert(X_FORWARDED_HOST, info.host.unwrap_or_else(|| host.clone()));
        for (name, value) in [
            (X_FORWARDED_PORT, info.port),
            (X_FORWARDED_PREFIX, prefix),
            (FORWARDED, info.forwarded),
        ] {
            if let Some(value) = value {
                fields.insert(name, value);
            }
        }
    }
}

impl ForwardedInfo {
    /// Reads `X-Forwarded-Proto`, `-Host`, `-Port` and `-Prefix`. What is no scheme, host, port or path does not count, nor
    /// do several lines of the last three. `hops` is how many trusted proxies there are.
    fn read(headers: &HeaderMap, hops: usize) -> Self {
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none())
        };
        let host = one(&X_FORWARDED_HOST).and_then(|host| Host::parse(host.to_str().ok()?));
        let is_port =
            |port: &&HeaderValue| port.len() <= 5 && port.as_bytes().iter().all(u8::is_ascii_digit);
        let scheme = x_forwarded_proto(headers, hops);
        Self {
            scheme,
            proto: scheme,
            host: host.map(|host| host.field().clone()),
            port: one(&X_FORWARDED_PORT).filter(is_port).cloned(),
            prefix: one(&X_FORWARDED_PREFIX).and_then(parse_prefix),
            forwarded: None,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            scheme: match self.scheme {
                StatedScheme::Absent => other.scheme,
                StatedScheme::Unreadable | StatedScheme::Known(_) => self.scheme,
            },
            proto: self.proto,
            host: self.host.or(other.host),
            port: self.port.or(other.port),
            prefix: self.prefix.or(other.prefix),
            forwarded: self.forwarded.or(other.forwarded),
        }
    }

    /// How the client reached the proxy, where it says so.
    pub fn scheme(&self) -> Option<Scheme> {
        match self.scheme {
            StatedScheme::Known(scheme) => Some(scheme),
            StatedScheme::Absent | StatedScheme::Unreadable => None,
        }
    }

    /// Whether the proxy says it in a way that cannot be read.
    pub fn has_unreadable_scheme(&self) -> bool {
        self.scheme == StatedScheme::Unreadable
    }

    /// The same as it stands in `X-Forwarded-Proto`, for forward-auth.
    pub fn x_forwarded_proto(&self) -> StatedScheme {
        self.proto
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

/// How the client came, by `X-Forwarded-Proto`. Of a list, in one line or several, the entry counts that the outermost of
/// so many trusted proxies wrote, as in `X-Forwarded-For`.
fn x_forwarded_proto(headers: &HeaderMap, hops: usize) -> StatedScheme {
    let stated = values_from_the_right(headers, &X_FORWARDED_PROTO);
    let outermost = stated.take(hops.max(1)).last();
    outermost.map_or(StatedScheme::Absent, StatedScheme::parse)
}

/// A prefix is a path like a request's: proxies hardly ever overwrite the field, so it is often the client's, and
/// services build links from it. `//host` would lead to another origin.
fn parse_prefix(prefix: &HeaderValue) -> Option<HeaderValue> {
    let path = RequestPath::parse(prefix.to_str().ok()?, PathOptions::default()).ok()?;
    HeaderValue::from_str(path.as_str()).ok()
}
