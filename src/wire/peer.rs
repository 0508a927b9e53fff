//! The other end of a client connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;

use super::interim::Interim;

/// Who connected, and how, with the text that every request of the connection needs.
#[derive(Clone, Debug)]
pub struct Peer {
    address: IpAddr,
    /// Whether a proxy names it in a protocol of its own, and its fields are that proxy's.
    is_introduced: bool,
    /// Who writes the fields of its requests; `None` where nobody can be named, whose fields are not believed then.
    speaker: Option<IpAddr>,
    text: HeaderValue,
    scheme: Scheme,
    interim: Option<Arc<Interim>>,
}

/// How a client reaches the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As in a URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where none is written.
    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The scheme of a request as proxies write it: in any case, and `ws` or `wss` for a WebSocket.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let is = |scheme: &[u8]| text.eq_ignore_ascii_case(scheme);
        match () {
            () if is(b"http") || is(b"ws") => Some(Self::Http),
            () if is(b"https") || is(b"wss") => Some(Self::Https),
            () => None,
        }
    }

    /// As a field's value.
    pub(super) fn field(self) -> HeaderValue {
        const HTTP: HeaderValue = HeaderValue::from_static("http");
        const HTTPS: HeaderValue = HeaderValue::from_static("https");
        match self {
            Self::Http => HTTP,
            Self::Https => HTTPS,
        }
    }
}

impl Peer {
    /// The peer of an accepted connection. An IPv4 address that arrives over IPv6 counts as IPv4.
    pub fn new(address: SocketAddr, scheme: Scheme) -> Self {
        let address = address.ip().to_canonical();
        Self {
            address,
            is_introduced: false,
            speaker: Some(address),
            text: address_field(address),
            scheme,
            interim: None,
        }
    }

    /// The same peer, over a connection that can write interim answers.
    #[must_use]
    pub fn with_interim(self, interim: Arc<Interim>) -> Self {
        Self {
            interim: Some(interim),
            ..self
        }
    }

    /// The same peer, whom the proxy at this address introduces: what the proxy may say is believed of its fields.
    #[must_use]
    pub fn introduced_by(self, proxy: IpAddr) -> Self {
        Self {
            is_introduced: true,
            speaker: Some(proxy.to_canonical()),
            ..self
        }
    }

    /// The same peer, a proxy that passes on what others write and does not say whose it is.
    #[must_use]
    pub fn for_somebody(self) -> Self {
        Self {
            speaker: None,
            ..self
        }
    }

    /// Who writes the fields of its requests: the proxy that introduces it, else itself. `None` behind a proxy that passes
    /// on the fields of clients that it does not name.
    pub fn speaker(&self) -> Option<IpAddr> {
        self.speaker
    }

    /// Whether a proxy introduces it, whose fields they are.
    pub fn is_introduced(&self) -> bool {
        self.is_introduced
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How it reaches the gateway.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where interim answers (1xx) to its requests go; `None` where its connection cannot write any, as with HTTP/2.
    pub fn interim(&self) -> Option<&Arc<Interim>> {
        self.interim.as_ref()
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
