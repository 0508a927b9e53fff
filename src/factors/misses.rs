//! How many wrong codes are too many.
//!
//! Who types codes has shown the password before: what is counted is its owner with a clock that is wrong, or an attack on one
//! account by somebody who has its password. Three codes count at a time, so that a guess is right with a chance of 3 in 10^6, and
//! a limit for each address would give an attacker with a thousand of them 12,000 guesses an hour. Wrong codes are therefore
//! counted for the account, wherever they come from: of five in a quarter of an hour none further is looked at for as long. That
//! makes at most 25 guesses in an hour, and a chance of 7.5 in 10^5.

use serde::{Deserialize, Serialize};

/// So many wrong codes are looked at within [`WINDOW`].
pub const MISSES: usize = 5;

/// The seconds within which they count together, and for which no code is looked at then.
pub const WINDOW: u64 = 15 * 60;

/// The wrong codes of late, in seconds since 1970. They are kept with the factors, and change in one step with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Misses(Vec<u64>);

impl Misses {
    /// Until when no code is looked at; `None`: one may be.
    ///
    /// A miss of the future does not count: the clock was wrong then, and nobody waits for it to be so again.
    pub fn held_until(&self, now: u64) -> Option<u64> {
        let counting = self.0.iter().filter(|at| counts(**at, now));
        let last = counting.clone().max()?;
        (counting.count() >= MISSES).then(|| last.saturating_add(WINDOW))
    }

    /// Counts a wrong code.
    pub fn add(&mut self, now: u64) {
        self.0.retain(|at| counts(*at, now));
        self.0.push(now);
    }

    /// Forgets them, after a right code.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn counts(at: u64, now: u64) -> bool {
    at <= now && now < at.saturating_add(WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hold_for_a_quarter_of_an_hour_after_the_last_and_a_right_one_forgets_them() {
        let mut misses = Misses::default();
        for at in [100, 200, 300, 400] {
            misses.add(at);
            assert_eq!(misses.held_until(at), None);
        }
        misses.add(500);
        assert_eq!(misses.held_until(500), Some(500 + WINDOW));
        assert_eq!(
            misses.held_until(499 + WINDOW),
            None,
            "the first three are over"
        );
        misses.clear();
        assert!(misses.is_empty());
    }

    #[test]
    fn a_clock_that_was_wrong_holds_nobody() {
        let mut misses = Misses::default();
        (0..MISSES).for_each(|_| misses.add(2_000_000_000));
        assert!(misses.held_until(2_000_000_000).is_some());
        assert_eq!(misses.held_until(1_700_000_000), None);
        misses.add(1_700_000_000);
        assert_eq!(misses, Misses(vec![1_700_000_000]));
    }

    /// An hour of guessing as fast as can be: whatever the pace, there are no more than 25 guesses in any hour.
    #[test]
    fn an_hour_of_guessing_from_everywhere_succeeds_with_less_than_one_in_ten_thousand() {
        const HOUR: u64 = 3600;
        for pause in [1, 7, 60, 179, 180, 224, 225, 226, 600] {
            let (mut misses, mut guesses) = (Misses::default(), Vec::new());
            for now in (0..4 * HOUR).step_by(pause) {
                // a thousand addresses try at this second
                for _ in 0..1000 {
                    if misses.held_until(now).is_some() {
                        break;
                    }
                    misses.add(now);
                    guesses.push(now);
                    if pause > 60 {
                        break;
                    }
                }
            }
            let within = |from: &u64| {
                guesses
                    .iter()
                    .filter(|at| (*from..=*from + HOUR).contains(at))
                    .count()
            };
            let most = guesses.iter().map(within).max().unwrap();
            let chance = 1.0 - (1.0 - 3e-6_f64).powi(i32::try_from(most).unwrap());
            assert!(
                most <= 25 && chance <= 1e-4,
                "{pause}: {most} guesses, {chance}"
            );
        }
    }
}
