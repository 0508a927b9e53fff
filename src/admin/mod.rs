//! The admin listener: is the process alive, is it ready, and what has it counted.
//!
//! It has a thread of its own, so that it answers when the workers are busy. Nothing it says is secret, and nothing
//! it is asked changes anything; it listens on the loopback address unless told otherwise.

mod answer;
mod readiness;
mod serve;

pub use readiness::{Check, Readiness};
pub use serve::serve;

use std::fmt;
use std::sync::Arc;

use crate::telemetry::metrics::{Metrics, ServerLevel};

/// What the admin listener answers from.
#[derive(Clone)]
pub struct AdminState {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Asked at each `/readyz`; it must not block.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// How the servers of all upstreams are, for `/readyz` to show; it must not block.
    pub servers: Arc<dyn Fn() -> Vec<ServerLevel> + Send + Sync>,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
