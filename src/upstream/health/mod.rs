//! Active health checks: each server of a service with a `health` block is probed periodically, once per process.

mod abort_on_drop;
mod check;
mod probe;

use std::time::Duration;

use tokio::time::sleep;

use self::abort_on_drop::AbortOnDrop;
use self::check::{Doubts, HealthCheck};
use self::probe::probe;
use super::server_set::ServerSet;
use crate::ambient;
use crate::net::Dialer;

/// The running health checks.
#[derive(Default)]
pub(super) struct HealthChecks(Vec<(HealthCheck, AbortOnDrop)>);

impl HealthChecks {
    /// Runs the checks of exactly these servers. An unchanged check continues undisturbed.
    pub(super) fn follow<'r>(&mut self, server_sets: impl Iterator<Item = &'r ServerSet>) {
        let mut former = std::mem::take(&mut self.0);
        for check in server_sets.flat_map(HealthCheck::all) {
            let same = former.iter().position(|(other, _)| *other == check);
            let entry = match same {
                Some(index) => former.swap_remove(index),
                None => {
                    let running = AbortOnDrop(tokio::spawn(run(check.clone())).abort_handle());
                    (check, running)
                }
            };
            self.0.push(entry);
        }
    }
}

/// Probes a server at once, and then periodically; never ends.
async fn run(check: HealthCheck) {
    let dialer = Dialer::default();
    let mut doubts = Doubts::default();
    loop {
        match probe(&dialer, &check).await {
            Ok(()) => check.succeeded(&mut doubts),
            Err(why) => check.failed(&mut doubts, &why),
        }
        sleep(jittered(check.health.interval)).await;
    }
}

/// A tenth more or less, so that the checks of many gateways do not come at once.
fn jittered(interval: Duration) -> Duration {
    let [chance] = ambient::random_bytes();
    interval.mul_f64(0.9 + 0.2 * f64::from(chance) / 255.0)
}
