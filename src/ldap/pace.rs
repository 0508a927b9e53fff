//! How long a refusal takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::ambient;

/// The longest that a refusal is held back: a directory that stalls once must not slow every later one.
const LONGEST: Duration = Duration::from_secs(1);

/// How long it takes to have a password checked. Directories refuse the name of nobody sooner than a wrong password, so
/// every refusal waits until as much time has passed.
#[derive(Default)]
pub(super) struct Pace(AtomicU64);

impl Pace {
    /// Remembers how long a real check took since `begun`. It follows slow ones at once, and forgets them gradually.
    pub(super) fn observe(&self, begun: Instant) {
        let taken = ambient::now().saturating_duration_since(begun).min(LONGEST);
        let taken = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let slower = |known: u64| Some(taken.max(known.saturating_sub(known / 16)));
        // two at once may overwrite each other: either is as good
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, slower);
    }

    /// How long a check takes.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Waits until as much time has passed since `begun` as a check takes.
    pub(super) async fn wait(&self, begun: Instant) {
        tokio::time::sleep_until((begun + self.duration()).into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_take_as_long_as_checks() {
        let pace = Pace::default();
        assert_eq!(pace.duration(), Duration::ZERO);
        let ago = |millis| ambient::now() - Duration::from_millis(millis);
        pace.observe(ago(200));
        assert!(pace.duration() >= Duration::from_millis(200));
        pace.observe(ago(0));
        let slower = pace.duration();
        assert!(slower >= Duration::from_millis(180) && slower < Duration::from_secs(1));
        pace.observe(ago(60_000));
        assert_eq!(pace.duration(), LONGEST);
    }
}
