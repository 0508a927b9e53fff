//! A few sums over everything: what is read often, and made into plots.

use super::Metrics;
use super::histogram::{BUCKETS, Distribution};
use super::labels::{Label, LoginOutcome, RequestOutcome, StatusClass};
use super::shard::{NONE, PORTAL, ShardCells};

/// How many outcomes a request may have.
pub const OUTCOMES: usize = RequestOutcome::ALL.len();

/// How many outcomes a login may have.
pub const LOGINS: usize = LoginOutcome::ALL.len();

/// Requests by how long they took, each bucket by itself.
pub type Latency = [u64; BUCKETS];

/// Sums since the start, and levels of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests that are over, in the order of [`RequestOutcome::EVERY`].
    pub outcomes: [u64; OUTCOMES],
    /// Those of them that were answered with 500 to 599.
    pub server_errors: u64,
    /// How long requests for services took; those of the gateway's own endpoints are left out, where passwords take time.
    pub latency: Latency,
    /// Logins, in the order of [`LoginOutcome::EVERY`].
    pub logins: [u64; LOGINS],
    /// Attempts to reach an upstream that failed.
    pub upstream_errors: u64,
    /// Client connections that are open now.
    pub connections: u64,
}

impl RequestOutcome {
    /// Every value, in the order in which [`Sums`] lists them.
    pub const EVERY: &'static [Self] = <Self as Label>::ALL;
}

impl LoginOutcome {
    /// Every value, in the order in which [`Sums`] lists them.
    pub const EVERY: &'static [Self] = <Self as Label>::ALL;
}

impl Metrics {
    /// The sums of now. It costs a walk over the rules that were ever used.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for (sum, outcome) in sums.logins.iter_mut().zip(LoginOutcome::ALL) {
            *sum = self.logins.read(*outcome);
        }
        let (mut latency, mut connections) = (Distribution::default(), 0);
        self.for_each_shard(|shard| {
            connections += shard.client_connections.read();
            sums.add(shard, &mut latency);
        });
        sums.latency = latency.counts();
        sums.connections = u64::try_from(connections).unwrap_or(0);
        sums
    }
}

impl Sums {
    fn add(&mut self, shard: &ShardCells, latency: &mut Distribution) {
        for (name, entry) in shard.services().iter() {
            if name != PORTAL && name != NONE {
                latency.add(&entry.service.durations);
            }
            self.upstream_errors += entry.service.upstream_errors.sum();
            for (outcome, class, count) in entry.rules.values().flat_map(|cells| cells.counts()) {
                self.outcomes[outcome.index()] += count;
                if class == StatusClass::ServerError {
                    self.server_errors += count;
                }
            }
        }
    }
}
