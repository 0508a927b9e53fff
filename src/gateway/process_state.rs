//! What outlives a load of the configuration: every snapshot is made on top of it.

use std::sync::Arc;

use crate::jwks::KeySources;
use crate::session::Sessions;
use crate::telemetry::audit::Audit;
use crate::telemetry::traces::Traces;
use crate::upstream::ServerSets;
use crate::users::Hasher;

/// What outlives a load of the configuration. A copy is a handle to the same.
#[derive(Clone)]
pub struct ProcessState {
    /// Checks the passwords of all loads.
    pub hasher: Hasher,
    /// Keeps the sessions of all loads.
    pub sessions: Sessions,
    /// Knows the servers of all loads.
    pub server_sets: Arc<ServerSets>,
    /// Keeps the published keys of other issuers for all loads.
    pub issuer_keys: Arc<KeySources>,
    /// Sends the traces of all loads.
    pub traces: Arc<Traces>,
    /// The audit stream; `None` where it is off.
    pub audit: Option<Arc<Audit>>,
}
