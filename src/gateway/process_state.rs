//! The state that outlives a load of the configuration. Every snapshot is built on it.

use std::sync::Arc;

use crate::jwks::KeySources;
use crate::ldap::LdapDirectories;
use crate::oidc::Providers;
use crate::rates::RateTable;
use crate::session::{Renewals, Sessions};
use crate::telemetry::audit::Audit;
use crate::telemetry::traces::Traces;
use crate::upstream::ServerSets;
use crate::users::{Hasher, PasswordChanges};

/// The state of the process across reloads. A clone is a handle to the same state.
#[derive(Clone)]
pub struct ProcessState {
    /// Checks passwords.
    pub hasher: Hasher,
    /// Writes the new passwords that people choose into the user list.
    pub password_changes: PasswordChanges,
    /// Keeps sessions.
    pub sessions: Sessions,
    /// Asks providers whether sessions still hold.
    pub renewals: Renewals,
    /// Keeps the state of upstream servers.
    pub server_sets: Arc<ServerSets>,
    /// Keeps the published keys of other issuers.
    pub issuer_keys: Arc<KeySources>,
    /// Keeps what is known of OpenID providers.
    pub providers: Arc<Providers>,
    /// Keeps the connections to the directory.
    pub directories: Arc<LdapDirectories>,
    /// Keeps what callers have used of their rates.
    pub rates: Arc<RateTable>,
    /// Exports traces.
    pub traces: Arc<Traces>,
    /// The audit stream; `None` where it is off.
    pub audit: Option<Arc<Audit>>,
}
