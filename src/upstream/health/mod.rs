//! Active checks: each server of a service that says so is asked again and again, once a process.

mod check;
mod probe;
mod running;

use self::check::HealthCheck;
use self::running::Running;
use super::server_set::ServerSet;

/// The checks that run.
#[derive(Default)]
pub(super) struct HealthChecks(Vec<(HealthCheck, Running)>);

impl HealthChecks {
    /// Runs the checks of these servers and no others. One that stays as it is goes on undisturbed.
    pub(super) fn follow<'r>(&mut self, server_sets: impl Iterator<Item = &'r ServerSet>) {
        let mut former = std::mem::take(&mut self.0);
        for check in server_sets.flat_map(HealthCheck::all) {
            let same = former.iter().position(|(other, _)| *other == check);
            let entry = match same {
                Some(index) => former.swap_remove(index),
                None => {
                    let running = Running(tokio::spawn(check.clone().run()).abort_handle());
                    (check, running)
                }
            };
            self.0.push(entry);
        }
    }
}
