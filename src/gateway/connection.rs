//! The connection that a request comes over, and under which settings its client was identified.

use super::rejection::Rejection;
use super::snapshot::Snapshot;
use super::trust_generation::TrustGeneration;
use crate::wire::Peer;

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
