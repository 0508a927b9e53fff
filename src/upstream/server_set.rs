//! The servers of one service in one load of the configuration, with the state that all workers share.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::settings::Settings;
use super::state::{Moment, ServerCondition, ServerState};

/// The servers of a service, shared by all workers. The state of a server that stays configured survives a reload.
#[derive(Debug)]
pub struct ServerSet {
    settings: Settings,
    servers: Box<[Arc<ServerState>]>,
    /// Locked while a server is ejected, so that two workers cannot eject the last two.
    taking_out: Mutex<()>,
    /// Notified when a server is ejected, so that its return is announced.
    changed: Arc<Notify>,
}

impl ServerSet {
    pub(super) fn new(
        settings: Settings,
        servers: Box<[Arc<ServerState>]>,
        changed: Arc<Notify>,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            servers,
            taking_out: Mutex::default(),
            changed,
        })
    }

    /// The `upstream` block of the service.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn servers(&self) -> &[Arc<ServerState>] {
        &self.servers
    }

    /// Names of the servers, as in logs and metrics.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.servers.iter().map(|server| server.name())
    }

    /// Whether both have the same servers with the same settings.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let same = |(one, other): (&Arc<ServerState>, &Arc<ServerState>)| Arc::ptr_eq(one, other);
        self.settings == other.settings && self.servers.iter().zip(&other.servers).all(same)
    }

    /// Ejects a failing server for a while, unless it is the last one that serves.
    pub(super) fn take_out(&self, index: usize, why: &str) {
        let _taking_out = self
            .taking_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = self.servers[index].now();
        if self.others(index).any(|other| serves(other, now)) {
            self.servers[index].rest(why);
            self.changed.notify_one();
        }
    }

    fn others(&self, index: usize) -> impl Iterator<Item = &ServerState> {
        self.servers
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != index)
            .map(|(_, server)| &**server)
    }
}

fn serves(server: &ServerState, now: Moment) -> bool {
    matches!(server.condition(now), ServerCondition::Serving(_))
}
