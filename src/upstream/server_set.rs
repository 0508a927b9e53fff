//! The servers of one service in one load of the configuration, with the state that all workers share.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::error::ForwardError;
use super::settings::Settings;
use super::state::{FAILURES, Moment, ServerCondition, ServerState};

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

    /// Ejects a server that fails again and again for a while, unless it is the last one that serves. That one is reported
    /// as failing, and goes on being tried; where servers are checked, the checks report.
    pub(super) fn failed(&self, index: usize, failures: u32, why: &ForwardError) {
        let _taking_out = self
            .taking_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let server = &self.servers[index];
        if !self.others_serve(index, server.now()) {
            if self.settings.health.is_none() {
                server.fail(&why.to_string());
            }
        } else if failures >= FAILURES {
            server.rest(&why.to_string());
            self.changed.notify_one();
        }
    }

    /// Ends the ejections that are over. Gives the moment of the next end.
    pub(super) fn end_rests(&self, now: Moment) -> Option<Moment> {
        let ends = |server: &ServerState| server.returns_at();
        let over: Vec<usize> = (0..self.servers.len())
            .filter(|index| ends(&self.servers[*index]).is_some_and(|end| end <= now))
            .collect();
        // nothing else says that one of them serves
        let checked = self.settings.health.is_some();
        let proven = over
            .iter()
            .map(|index| checked && self.others_serve(*index, now))
            .collect::<Vec<_>>();
        for (index, proven) in over.into_iter().zip(proven) {
            self.servers[index].end_rest(proven);
        }
        self.servers.iter().filter_map(|server| ends(server)).min()
    }

    /// Whether another server serves. One whose ejection is only just over does not count: nothing says that it does.
    fn others_serve(&self, index: usize, now: Moment) -> bool {
        let serves = |server: &ServerState| {
            matches!(server.condition(now), ServerCondition::Serving(_))
                && server.returns_at().is_none()
        };
        self.others(index).any(serves)
    }

    fn others(&self, index: usize) -> impl Iterator<Item = &ServerState> {
        self.servers
            .iter()
            .enumerate()
            .filter(move |(other, _)| *other != index)
            .map(|(_, server)| &**server)
    }
}
