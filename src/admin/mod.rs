//! The admin listener: is the process alive, is it ready, what has it counted, and what does it do right now.
//!
//! It has a thread of its own, so that it answers when the workers are busy. `answer` says which request gets what:
//! probes and scrapers are answered at once; the `page` and the `api` behind it only after the `guard` has looked.
//! Nothing that it says is a secret, and it changes something only for those who show `admin.token`.

mod answer;
mod api;
mod guard;
mod loads;
mod page;
mod query;
mod readiness;
mod response;
mod serve;

pub use loads::{ConfigurationLoad, Loads};
pub use readiness::{Readiness, ReadinessCheck};
pub use serve::serve;

use std::fmt;
use std::sync::Arc;

use crate::config::ServiceView;
use crate::session::{Sessions, Times};
use crate::telemetry::audit::Audit;
use crate::telemetry::history::History;
use crate::telemetry::metrics::{Metrics, ServerLevel};
use crate::telemetry::recent::Recent;
use crate::users::Directory;

/// What the admin listener answers from.
#[derive(Clone)]
pub struct AdminState {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Asked at each `/readyz`; it must not block.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// How the servers of all upstreams are; it must not block.
    pub servers: Arc<dyn Fn() -> Vec<ServerLevel> + Send + Sync>,
    /// The last minutes.
    pub history: Arc<History>,
    /// The last denials and logins.
    pub recent: Arc<Recent>,
    /// Where lockouts and sessions are kept.
    pub sessions: Sessions,
    /// Where what operators change is recorded; `None` where the audit stream is off.
    pub audit: Option<Arc<Audit>>,
    /// What was loaded, and how the last reload ended.
    pub loads: Arc<Loads>,
    /// What requests are decided by now; it must not block.
    pub in_force: Arc<dyn Fn() -> Arc<dyn InForce> + Send + Sync>,
}

/// The configuration in force, as far as operators are shown it.
pub trait InForce: Send + Sync {
    /// The services, in the order of the file.
    fn services(&self) -> Vec<ServiceView<'_>>;

    /// The user list.
    fn directory(&self) -> &Directory;

    /// The times of a session that ends at this second since 1970.
    fn session_times(&self, now: u64) -> Times;
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
