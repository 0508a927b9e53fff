//! The arithmetic of a bucket. What was taken from it is kept as time: that in which it comes back.

use super::rate::Rate;

const SECOND: u64 = 1_000_000_000;

/// A bucket of a rate, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// In which one request comes back; at least 1.
    pub(super) interval: u64,
    /// In which all of them do.
    pub(super) capacity: u64,
}

/// What is left of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketLevel {
    /// Requests that may come now.
    pub remaining: u32,
    /// Seconds until there is room for one more, rounded up; 0 where the bucket is full.
    pub next: u32,
}

impl Bucket {
    pub(super) fn of(rate: Rate) -> Self {
        let nanos = |duration: std::time::Duration| {
            u64::try_from(duration.as_nanos())
                .unwrap_or(u64::MAX)
                .max(1)
        };
        Self {
            interval: nanos(rate.interval()),
            capacity: nanos(rate.fill_time()),
        }
    }

    /// What is taken after one more request; `None` where that is more than the bucket holds.
    pub(super) fn take(self, taken: u64) -> Option<u64> {
        let taken = taken.checked_add(self.interval)?;
        (taken <= self.capacity).then_some(taken)
    }

    /// Nanoseconds until one request has room.
    pub(super) fn wait(self, taken: u64) -> u64 {
        taken
            .saturating_add(self.interval)
            .saturating_sub(self.capacity)
    }

    pub(super) fn level(self, taken: u64) -> BucketLevel {
        let remaining = self.capacity.saturating_sub(taken) / self.interval;
        let target = self
            .capacity
            .saturating_sub((remaining + 1).saturating_mul(self.interval));
        let next = if taken == 0 {
            0
        } else {
            taken - target.min(taken)
        };
        BucketLevel {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            next: seconds(next),
        }
    }
}

/// Whole seconds, rounded up.
pub(super) fn seconds(nanos: u64) -> u32 {
    u32::try_from(nanos.div_ceil(SECOND)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rates::CountedBy;

    #[test]
    fn a_level_says_what_is_left_and_when_more_is() {
        let rate = Rate::new(2, Duration::from_secs(10), 1, CountedBy::User).expect("in range");
        let bucket = Bucket::of(rate);
        let level = |taken| {
            let BucketLevel { remaining, next } = bucket.level(taken);
            (remaining, next)
        };
        assert_eq!(bucket.capacity, 15 * SECOND);
        assert_eq!(level(0), (3, 0));
        assert_eq!(level(5 * SECOND), (2, 5));
        assert_eq!(level(4 * SECOND), (2, 4), "one more at none taken");
        assert_eq!(level(6 * SECOND), (1, 1));
        assert_eq!(level(15 * SECOND), (0, 5));
        assert_eq!(level(11 * SECOND), (0, 1));
        assert_eq!(bucket.take(10 * SECOND), Some(15 * SECOND));
        assert_eq!(bucket.take(10 * SECOND + 1), None);
        assert_eq!(bucket.wait(10 * SECOND + 1), 1);
        assert_eq!(bucket.wait(15 * SECOND), 5 * SECOND);
        assert_eq!(bucket.wait(0), 0);
    }
}
