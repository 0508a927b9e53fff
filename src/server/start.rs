//! The wait before the first client: for the state store.

use std::time::Duration;

use tokio::time::interval;

use super::manager;
use super::reload::Reloads;
use super::signals::Signals;
use crate::config::{Config, Listen};
use crate::session::{Sessions, StateError};

/// How often a service manager hears that the start still waits for the state store.
const STILL_WAITING: Duration = Duration::from_secs(10);

/// Settings that are used when the wait is over, as they were at the start.
pub(super) struct StartSettings {
    pub(super) listen: Vec<Listen>,
    pub(super) workers: usize,
    /// Whether nothing may be served before the state store was reached.
    awaits_state: bool,
}

/// How a wait at the start ended.
pub(super) enum Wait {
    Over,
    /// The process was signalled to end.
    Ended,
}

impl StartSettings {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            workers: config.server.workers,
            awaits_state: config.state.is_awaited(),
        }
    }
}

/// Until the store was reached, where nothing may be served before: who knows then which sessions have ended? Operators
/// see why, and signals are obeyed.
pub(super) async fn wait_for_state(
    sessions: &Sessions,
    settings: &StartSettings,
    reloads: &Reloads,
    signals: &mut Signals,
) -> Result<Wait, StateError> {
    if !settings.awaits_state {
        return Ok(Wait::Over);
    }
    let mut still_waiting = interval(STILL_WAITING);
    loop {
        tokio::select! {
            biased;
            () = signals.ends.next() => return Ok(Wait::Ended),
            ready = sessions.ready() => return ready.map(|()| Wait::Over),
            _ = signals.hangup.recv() => reloads.request(),
            _ = still_waiting.tick() => manager::waiting(sessions.name(), STILL_WAITING * 3),
        }
    }
}
