//! Whether the store is available now.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::settings::AtStart;
use crate::ambient;
use crate::telemetry::metrics::Metrics;

/// How often it is said again that the start still waits for the store.
const REMINDER: Duration = Duration::from_secs(60);

/// Whether the store is available. Each change is published once: as an event, as a metric, and to waiters.
pub(super) struct StoreHealth {
    /// What the store is called in events; without credentials.
    name: String,
    state: watch::Sender<State>,
    at_start: AtStart,
    /// When it was last said that the start waits for the store.
    reminded: Mutex<Option<Instant>>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was never reached.
    Starting,
    Up,
    Down,
}

impl StoreHealth {
    pub(super) fn new(
        name: String,
        state: State,
        at_start: AtStart,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.state_is_up(state == State::Up);
        Self {
            name,
            state: watch::Sender::new(state),
            at_start,
            reminded: Mutex::default(),
            metrics,
        }
    }

    /// What the store is called; without credentials.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// It cannot be used, and why.
    pub(super) fn lost(&self, reason: &dyn fmt::Display) {
        let store = &self.name;
        match (self.state(), self.at_start) {
            (State::Starting, AtStart::Wait) => self.remind(reason),
            (State::Starting, AtStart::Serve) => {
                self.change(State::Down);
                tracing::error!(event = "state_lost", store, %reason,
                    "the state store is away at the start (`at_start: serve`): it is not known which sessions have ended before; \
                     logins, refreshes and logouts are refused until it is there");
            }
            (State::Up, _) => {
                self.change(State::Down);
                tracing::error!(event = "state_lost", store, %reason, "logins, refreshes and logouts are refused until it is back");
            }
            (State::Down, _) => {}
        }
    }

    /// Says at once, and then rarely, why nothing is served yet.
    fn remind(&self, reason: &dyn fmt::Display) {
        let (now, mut last) = (ambient::now(), self.last_reminder());
        if last.is_none_or(|last| now.saturating_duration_since(last) >= REMINDER) {
            *last = Some(now);
            tracing::error!(event = "state_awaited", store = &self.name, %reason,
                "the gateway does not listen yet: the state store is away, and it is not known which sessions have ended \
                 (`at_start: wait`); it is tried until it is there");
        }
    }

    /// It can be used.
    pub(super) fn found(&self) {
        let before = self.state();
        let was_awaited = before == State::Starting && self.last_reminder().is_some();
        if was_awaited {
            // said before the start goes on, of which the next lines tell
            self.say_restored();
        }
        self.change(State::Up);
        if before == State::Down {
            // whoever reads it finds the gateway ready
            self.say_restored();
        }
    }

    fn say_restored(&self) {
        let store = &self.name;
        tracing::info!(event = "state_restored", store, "the state store is there");
    }

    fn last_reminder(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.reminded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, to: State) {
        self.metrics.state_is_up(to == State::Up);
        self.state.send_replace(to);
    }
}
