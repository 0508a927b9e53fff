//! What was loaded, and how the last reload ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::guard::Guard;
use crate::config::{AdminHosts, AdminToken, Problem};
use crate::telemetry::metrics::ReloadOutcome;

/// One load of the configuration that is in force.
#[derive(Clone, Debug)]
pub struct ConfigurationLoad {
    /// Over the names and contents of its files.
    pub digest: [u8; 32],
    /// When it came into force, in seconds since 1970.
    pub at: u64,
    /// How many users it has.
    pub users: usize,
    /// What is worth a second look.
    pub warnings: Vec<Problem>,
    /// What admin requests must show.
    pub token: Option<AdminToken>,
    /// By which names admin requests may come.
    pub hosts: AdminHosts,
}

/// The load in force, and the last attempt at another one.
#[derive(Debug)]
pub struct Loads(Mutex<Known>);

/// A copy of the state at one moment.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) load: ConfigurationLoad,
    /// `None` where nothing was reloaded since the start.
    pub(super) last: Option<LastReload>,
    pub(super) restart: Restart,
}

/// How the last reload ended.
#[derive(Clone, Debug)]
pub(super) struct LastReload {
    pub(super) outcome: ReloadOutcome,
    /// In seconds since 1970.
    pub(super) at: u64,
    /// Why it was refused; empty where it was not.
    pub(super) problems: Vec<Problem>,
}

/// Whether the files have changes that only a restart applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    NotNeeded,
    Needed,
}

impl Loads {
    /// The load of the start.
    pub fn new(load: ConfigurationLoad) -> Self {
        Self(Mutex::new(Known {
            load,
            last: None,
            restart: Restart::NotNeeded,
        }))
    }

    /// Another load is in force.
    pub fn applied(&self, load: ConfigurationLoad) {
        let mut known = self.lock();
        known.last = Some(LastReload {
            outcome: ReloadOutcome::Applied,
            at: load.at,
            problems: Vec::new(),
        });
        known.load = load;
    }

    /// The files are unchanged; `at` is in seconds since 1970, here and below.
    pub fn unchanged(&self, at: u64) {
        self.lock().last = Some(LastReload {
            outcome: ReloadOutcome::Unchanged,
            at,
            problems: Vec::new(),
        });
    }

    /// The files have problems.
    pub fn refused(&self, problems: Vec<Problem>, at: u64) {
        self.lock().last = Some(LastReload {
            outcome: ReloadOutcome::Refused,
            at,
            problems,
        });
    }

    /// The files have changes that take effect at the next start.
    pub fn needs_restart(&self) {
        self.lock().restart = Restart::Needed;
    }

    /// They have no such changes any more.
    pub fn needs_no_restart(&self) {
        self.lock().restart = Restart::NotNeeded;
    }

    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// Who may ask now.
    pub(super) fn guard(&self) -> Guard {
        let ConfigurationLoad { token, hosts, .. } = &self.lock().load;
        Guard::new(*token, hosts.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
