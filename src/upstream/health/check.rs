//! The health check of one server.

use std::sync::Arc;

use crate::net::TlsSettings;
use crate::upstream::error::ForwardError;
use crate::upstream::origin::Origin;
use crate::upstream::server_set::ServerSet;
use crate::upstream::settings::Health;
use crate::upstream::state::ServerState;

/// The health check of one server.
#[derive(Clone)]
pub(super) struct HealthCheck {
    state: Arc<ServerState>,
    pub(super) origin: Origin,
    pub(super) health: Health,
    pub(super) tls: Option<Arc<TlsSettings>>,
}

/// The results that speak against the present opinion.
#[derive(Debug, Default)]
pub(super) struct Doubts(u32);

impl HealthCheck {
    /// The checks of all servers of a service; none where it has no checks.
    pub(super) fn all(server_set: &ServerSet) -> impl Iterator<Item = Self> {
        let settings = server_set.settings();
        settings.health.iter().flat_map(move |health| {
            settings
                .servers
                .iter()
                .zip(server_set.servers())
                .map(move |(origin, state)| Self {
                    state: Arc::clone(state),
                    origin: origin.clone(),
                    health: health.clone(),
                    tls: settings.tls.clone(),
                })
        })
    }

    pub(super) fn succeeded(&self, doubts: &mut Doubts) {
        if self.state.is_healthy() {
            *doubts = Doubts::default();
        } else if doubts.grow_to(self.health.healthy_after) {
            self.state.set_healthy();
        }
    }

    /// Reports a handshake that failed.
    pub(super) fn note_tls_failure(&self, error: &ForwardError) {
        if let Some(failure) = error.tls_failure() {
            self.state.note_tls_failure(failure, error);
        }
    }

    pub(super) fn failed(&self, doubts: &mut Doubts, why: &str) {
        if !self.state.is_healthy() {
            *doubts = Doubts::default();
        } else if doubts.grow_to(self.health.unhealthy_after) {
            self.state.set_unhealthy(why);
        }
    }
}

impl Doubts {
    /// One more; whether they are enough. Then they begin anew, on the other side.
    fn grow_to(&mut self, enough: u32) -> bool {
        self.0 += 1;
        let reached = self.0 >= enough;
        if reached {
            self.0 = 0;
        }
        reached
    }
}

impl PartialEq for HealthCheck {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
            && self.origin == other.origin
            && self.health == other.health
            && self.tls == other.tls
    }
}
