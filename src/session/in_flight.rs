//! Password checks under way in this process. Failures count when a check ends, so that guesses sent at once would all be
//! paid for, and everybody else would wait behind them in the queue of the threads that check passwords.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt::{Account, AttemptLimits, LoginAttempt, Network, Throttled};

/// Checks of one network that may be under way at once, where `attempts` is smaller: a quarter of the queue of one thread.
const OF_ONE_NETWORK: usize = 16;

/// Another try may succeed after so many milliseconds.
const AGAIN: u64 = 1000;

/// The password checks under way.
#[derive(Debug, Default)]
pub(super) struct ChecksInFlight(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    pairs: HashMap<(Account, Network), Burst>,
    networks: HashMap<Network, usize>,
}

/// Checks of a pair that overlap.
#[derive(Debug, Default)]
struct Burst {
    /// Those under way.
    running: usize,
    /// Those that began since the first, but for those that turned out not to be failures.
    spent: usize,
}

/// A password check under way; it ends when this is dropped, which must not be before its result is recorded.
#[derive(Debug)]
pub struct CheckInFlight {
    checks: Arc<ChecksInFlight>,
    pair: (Account, Network),
}

impl ChecksInFlight {
    /// Begins a check. Of checks that overlap at most `attempts` of a pair begin, so that a hold needs no second look when
    /// the turn of a waiting one comes: the last of them reaches the limit, and the next is held by the recorded failures.
    pub(super) fn begin(
        self: &Arc<Self>,
        attempt: &LoginAttempt,
        limits: &AttemptLimits,
    ) -> Result<CheckInFlight, Throttled> {
        let pair = (attempt.account, attempt.network);
        let limit = limits.pair().limit;
        let mut counts = self.counts();
        let spent = counts.pairs.get(&pair).map_or(0, |burst| burst.spent);
        let running = counts.networks.get(&pair.1).copied().unwrap_or_default();
        if spent >= limit || running >= limit.max(OF_ONE_NETWORK) {
            return Err(Throttled { millis: AGAIN });
        }
        let burst = counts.pairs.entry(pair).or_default();
        burst.running += 1;
        burst.spent += 1;
        *counts.networks.entry(pair.1).or_default() += 1;
        Ok(CheckInFlight {
            checks: Arc::clone(self),
            pair,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckInFlight {
    /// It was no failure: the password was correct, or not checked.
    pub fn is_no_failure(&self) {
        if let Some(burst) = self.checks.counts().pairs.get_mut(&self.pair) {
            burst.spent = burst.spent.saturating_sub(1);
        }
    }
}

impl Drop for CheckInFlight {
    fn drop(&mut self) {
        let mut counts = self.checks.counts();
        if let Entry::Occupied(mut burst) = counts.pairs.entry(self.pair) {
            burst.get_mut().running -= 1;
            if burst.get().running == 0 {
                burst.remove();
            }
        }
        if let Entry::Occupied(mut running) = counts.networks.entry(self.pair.1) {
            *running.get_mut() -= 1;
            if *running.get() == 0 {
                running.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(name: &str, address: &str) -> LoginAttempt {
        LoginAttempt::new(name, address.parse().unwrap(), None)
    }

    #[test]
    fn checks_that_overlap_are_no_more_than_attempts() {
        let (checks, limits) = (
            Arc::new(ChecksInFlight::default()),
            AttemptLimits::default(),
        );
        let begin = |name: &str, address: &str| checks.begin(&attempt(name, address), &limits);
        let mut five: Vec<_> = (0..5)
            .map(|_| begin("rita", "192.0.2.1").unwrap())
            .collect();
        let full = Throttled { millis: 1000 };
        assert_eq!(begin("rita", "192.0.2.1").unwrap_err(), full);
        assert!(begin("rita", "192.0.2.2").is_ok(), "another network");
        assert!(begin("carl", "192.0.2.1").is_ok(), "another account");
        drop(five.pop());
        assert_eq!(begin("rita", "192.0.2.1").unwrap_err(), full, "a failure");
        five.pop().unwrap().is_no_failure();
        assert!(begin("rita", "192.0.2.1").is_ok(), "a correct one");
        drop(five);
        assert!(begin("rita", "192.0.2.1").is_ok(), "all are over");
        let counts = checks.counts();
        assert!(counts.pairs.is_empty() && counts.networks.is_empty());
    }

    #[test]
    fn a_network_has_a_bound_over_all_names() {
        let checks = Arc::new(ChecksInFlight::default());
        for (attempts, bound) in [(1, 16), (5, 16), (40, 40)] {
            let limits = AttemptLimits {
                attempts,
                ..AttemptLimits::default()
            };
            let begin =
                |name: usize, address| checks.begin(&attempt(&name.to_string(), address), &limits);
            let all: Vec<_> = (0..100)
                .filter_map(|name| begin(name, "192.0.2.1").ok())
                .collect();
            assert_eq!(all.len(), bound);
            assert!(begin(0, "192.0.2.2").is_ok());
        }
    }
}
