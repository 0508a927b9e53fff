//! Active health checks: each server of a service with a `health` block is probed periodically, once per process.

mod abort_on_drop;
mod check;
mod probe;

use self::abort_on_drop::AbortOnDrop;
use self::check::HealthCheck;
use super::server_set::ServerSet;

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
                    let running = AbortOnDrop(tokio::spawn(check.clone().run()).abort_handle());
                    (check, running)
                }
            };
            self.0.push(entry);
        }
    }
}
