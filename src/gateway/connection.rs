//! The connection that a request comes over, and under which settings its client was identified.

use super::rejection::Rejection;
use super::snapshot::Snapshot;
use crate::config::{ClientCa, Server};
use crate::wire::Peer;

/// Counts the settings by which the client of a connection, and of what it upgraded to, is identified: `trusted_proxies`,
/// `forwarded`, `proxy_protocol` and `client_ca`. A reload that changes one of them begins another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrustGeneration(u64);

impl TrustGeneration {
    /// The generation of `new`, which replaces `old`, whose generation this is.
    pub(super) fn next(self, old: &Server, new: &Server) -> Self {
        let same = old.trusted_proxies == new.trusted_proxies
            && old.forwarded == new.forwarded
            && old.proxy_protocol == new.proxy_protocol
            && client_ca(old) == client_ca(new);
        if same { self } else { Self(self.0 + 1) }
    }
}

fn client_ca(server: &Server) -> Option<&ClientCa> {
    server.tls.as_ref()?.client_ca.as_ref()
}

/// A connection whose client is identified.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    peer: Peer,
    trust: TrustGeneration,
}

impl ClientConnection {
    /// A connection of this peer, accepted under the settings of this generation.
    pub fn new(peer: Peer, trust: TrustGeneration) -> Self {
        Self { peer, trust }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Refuses a request that is decided with `snapshot`, where its settings might identify another client, or none.
    pub(super) fn check(&self, snapshot: &Snapshot) -> Result<(), Rejection> {
        if self.trust == snapshot.trust {
            Ok(())
        } else {
            Err(Rejection::Misdirected)
        }
    }
}
