//! Whether the store is available now.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::telemetry::metrics::Metrics;

/// Whether the store is available. Each change is published once: as an event, as a metric, and to waiters.
pub(super) struct StoreHealth {
    /// What the store is called in events; without credentials.
    name: String,
    state: watch::Sender<State>,
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
    pub(super) fn new(name: String, state: State, metrics: Arc<Metrics>) -> Self {
        metrics.state_is_up(state == State::Up);
        Self {
            name,
            state: watch::Sender::new(state),
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
        if self.change(State::Down) != State::Down {
            let store = &self.name;
            tracing::error!(event = "state_lost", store, %reason, "logins, refreshes and logouts are refused until it is back");
        }
    }

    /// It can be used.
    pub(super) fn found(&self) {
        if self.change(State::Up) == State::Down {
            tracing::info!(
                event = "state_restored",
                store = &self.name,
                "the state store is back"
            );
        }
    }

    fn change(&self, to: State) -> State {
        self.metrics.state_is_up(to == State::Up);
        self.state.send_replace(to)
    }
}
