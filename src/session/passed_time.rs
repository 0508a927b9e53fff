//! The time that has passed, for lockouts and for what is forgotten, whatever is done to the wall clock.
//!
//! The wall clock can be set back, or far ahead and back again; the monotonic one stands still while the machine
//! sleeps. Where a lockout ends, the longer of both counts: a lockout of five minutes ends after five minutes, and is
//! over after a night of sleep. Where a logout is forgotten, the shorter one counts: a clock that was wrong for a
//! moment brings no session back.

use std::time::Instant;

/// Follows both clocks. Its times are milliseconds since 1970 where the wall clock has never been set.
#[derive(Debug)]
pub(super) struct PassedTime {
    wall: u64,
    monotonic: Instant,
    longest: u64,
    shortest: u64,
}

impl PassedTime {
    /// Begins at a time of the wall clock in milliseconds since 1970.
    pub(super) fn since(wall: u64, monotonic: Instant) -> Self {
        Self {
            wall,
            monotonic,
            longest: wall,
            shortest: wall,
        }
    }

    /// Takes in what both clocks show now.
    pub(super) fn advance(&mut self, wall: u64, monotonic: Instant) {
        let by_wall = wall.saturating_sub(self.wall);
        let passed = monotonic.saturating_duration_since(self.monotonic);
        let by_monotonic = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.longest = self.longest.saturating_add(by_wall.max(by_monotonic));
        self.shortest = self.shortest.saturating_add(by_wall.min(by_monotonic));
        // what is left of a millisecond is not lost
        if by_monotonic > 0 {
            self.monotonic = monotonic;
        }
        self.wall = wall;
    }

    /// What ends by this time has ended by either clock; it never goes back.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }

    /// What ends by this time, in seconds, has ended by both clocks; it never goes back.
    pub(super) fn shortest_seconds(&self) -> u64 {
        self.shortest / 1000
    }

    /// When the wall clock shows what [`Self::longest`] will be then, if it is not set meanwhile.
    pub(super) fn on_the_wall(&self, time: u64) -> u64 {
        time.saturating_sub(self.longest).saturating_add(self.wall)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ambient;

    const START: u64 = 1_700_000_000_000;
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;

    /// Steps of the wall clock, in milliseconds, and what passes on the monotonic one meanwhile; what has passed in
    /// the end by the longest and by the shortest account.
    #[test]
    fn neither_a_step_nor_a_sleep_misleads() {
        let (hour, minute) = (HOUR.cast_signed(), MINUTE.cast_signed());
        for (steps, longest, shortest) in [
            (
                vec![(minute, MINUTE), (minute, MINUTE)],
                2 * MINUTE,
                2 * MINUTE,
            ),
            // set back, or ahead
            (vec![(minute - hour, MINUTE)], MINUTE, 0),
            (vec![(minute + hour, MINUTE)], HOUR + MINUTE, MINUTE),
            // ahead for a moment: nothing is forgotten for it
            (vec![(48 * hour, 10), (-48 * hour, 10)], 48 * HOUR + 10, 10),
            // asleep for a day
            (vec![(24 * hour, 5)], 24 * HOUR, 5),
        ] {
            let began = ambient::now();
            let (mut wall, mut monotonic) = (START, began);
            let mut time = PassedTime::since(wall, monotonic);
            for (by_wall, by_monotonic) in &steps {
                wall = wall.saturating_add_signed(*by_wall);
                monotonic += Duration::from_millis(*by_monotonic);
                time.advance(wall, monotonic);
            }
            assert_eq!(time.longest(), START + longest, "{steps:?}");
            assert_eq!(
                time.shortest_seconds(),
                (START + shortest) / 1000,
                "{steps:?}"
            );
            assert_eq!(time.on_the_wall(time.longest() + 7), wall + 7);
        }
    }

    #[test]
    fn small_steps_add_up() {
        let (began, mut wall) = (ambient::now(), START);
        let mut time = PassedTime::since(wall, began);
        for step in 1..=1000 {
            wall -= 1;
            time.advance(wall, began + Duration::from_micros(500 * step));
        }
        assert_eq!(time.longest(), START + 500);
    }
}
