//! Failures by whom they are counted for, in bounded room.
//!
//! Those that count but do not hold yet are kept in two generations: when the young one is full the old one is
//! dropped, at a constant price. Those that hold lie apart and stay until their time is over, so a flood of new names
//! and addresses never ends a lockout. Where they have no more room, a further one is refused, and the caller counts
//! it for something coarser.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use ahash::RandomState;

use super::attempt::{Measure, SLOW};

/// How often expired holds are looked for while there is no room, in milliseconds.
const SWEEP: u64 = 1000;

/// How much a ledger takes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Subjects in each of the two generations.
    pub(super) counting: usize,
    /// Subjects that hold.
    pub(super) held: usize,
}

/// The failures of one kind of subject. Times are milliseconds since 1970.
pub(super) struct Ledger<K> {
    young: HashMap<K, VecDeque<u64>, RandomState>,
    old: HashMap<K, VecDeque<u64>, RandomState>,
    held: HashMap<K, Hold, RandomState>,
    room: Room,
    next_sweep: u64,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    until: u64,
    next_try: u64,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It counts.
    Counts,
    /// It holds, until then.
    Holds(u64),
    /// It would hold, if there were room.
    NoRoom,
}

impl<K: Copy + Eq + Hash> Ledger<K> {
    pub(super) fn new(room: Room, hasher: &RandomState) -> Self {
        let map = || HashMap::with_hasher(hasher.clone());
        Self {
            young: map(),
            old: map(),
            held: HashMap::with_hasher(hasher.clone()),
            room,
            next_sweep: 0,
        }
    }

    /// Until when a subject holds, if it does.
    pub(super) fn held_until(&self, subject: &K, now: u64) -> Option<u64> {
        self.held
            .get(subject)
            .map(|hold| hold.until)
            .filter(|until| *until > now)
    }

    /// Every subject that holds, and until when.
    pub(super) fn holds(&self, now: u64) -> impl Iterator<Item = (K, u64)> {
        let in_force = self.held.iter().filter(move |(_, hold)| hold.until > now);
        in_force.map(|(subject, hold)| (*subject, hold.until))
    }

    /// Lets one try a second through while the subject holds; else says when the next one may come.
    pub(super) fn try_slowly(&mut self, subject: &K, now: u64) -> Result<(), u64> {
        match self.held.get_mut(subject) {
            Some(hold) if hold.until > now && hold.next_try > now => Err(hold.next_try),
            Some(hold) => {
                hold.next_try = now.saturating_add(SLOW);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts a failure, `weight` times. One of a subject that holds prolongs that.
    pub(super) fn fail(
        &mut self,
        subject: K,
        measure: Measure,
        weight: usize,
        now: u64,
    ) -> Counted {
        let until = now.saturating_add(measure.lockout);
        if let Some(hold) = self.held.get_mut(&subject).filter(|hold| hold.until > now) {
            hold.until = hold.until.max(until);
            return Counted::Holds(hold.until);
        }
        let mut failures = self.take(&subject);
        while failures
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= measure.window)
        {
            failures.pop_front();
        }
        failures.extend(std::iter::repeat_n(now, weight.min(measure.limit)));
        if failures.len() < measure.limit {
            self.count(subject, failures);
            return Counted::Counts;
        }
        if self.hold(subject, until, now) {
            return Counted::Holds(until);
        }
        failures.truncate(measure.limit);
        self.count(subject, failures);
        Counted::NoRoom
    }

    /// Puts a hold in force; false where there is no room for it.
    #[must_use]
    pub(super) fn hold(&mut self, subject: K, until: u64, now: u64) -> bool {
        if self.held.len() >= self.room.held && !self.held.contains_key(&subject) {
            self.sweep(now);
            if self.held.len() >= self.room.held {
                return false;
            }
        }
        self.held.insert(
            subject,
            Hold {
                until,
                next_try: now.saturating_add(SLOW),
            },
        );
        true
    }

    /// Forgets the failures of a subject, and lifts its hold.
    pub(super) fn clear(&mut self, subject: &K) {
        self.take(subject);
        self.held.remove(subject);
    }

    fn take(&mut self, subject: &K) -> VecDeque<u64> {
        self.young
            .remove(subject)
            .or_else(|| self.old.remove(subject))
            .unwrap_or_default()
    }

    fn count(&mut self, subject: K, failures: VecDeque<u64>) {
        if self.young.len() >= self.room.counting {
            self.old = std::mem::replace(
                &mut self.young,
                HashMap::with_hasher(self.held.hasher().clone()),
            );
        }
        self.young.insert(subject, failures);
    }

    fn sweep(&mut self, now: u64) {
        if now >= self.next_sweep {
            self.next_sweep = now.saturating_add(SWEEP);
            self.held.retain(|_, hold| hold.until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;

    const MEASURE: Measure = Measure {
        limit: 3,
        window: 100,
        lockout: 1000,
    };

    fn ledger(counting: usize, held: usize) -> Ledger<u32> {
        Ledger::new(Room { counting, held }, &ambient::hash_state())
    }

    #[test]
    fn so_many_failures_within_the_window_hold() {
        let mut ledger = ledger(10, 10);
        for (now, expected) in [
            (0, Counted::Counts),
            (50, Counted::Counts),
            (100, Counted::Counts),
        ] {
            assert_eq!(ledger.fail(1, MEASURE, 1, now), expected, "{now}");
        }
        assert_eq!(
            ledger.held_until(&1, 100),
            None,
            "the first one does not count any more"
        );
        assert_eq!(ledger.fail(1, MEASURE, 1, 149), Counted::Holds(1149));
        assert_eq!(ledger.held_until(&1, 1148), Some(1149));
        assert_eq!(ledger.held_until(&1, 1149), None);
        assert_eq!(
            ledger.fail(1, MEASURE, 1, 200),
            Counted::Holds(1200),
            "a further failure prolongs it"
        );
        assert_eq!(
            ledger.fail(1, MEASURE, 1, 1200),
            Counted::Counts,
            "then it begins anew"
        );
        ledger.clear(&1);
        assert_eq!(
            ledger.fail(1, MEASURE, 3, 1201),
            Counted::Holds(2201),
            "a heavy one counts thrice"
        );
    }

    #[test]
    fn a_slowed_subject_is_tried_once_a_second() {
        let mut ledger = ledger(10, 10);
        assert_eq!(ledger.try_slowly(&1, 0), Ok(()));
        assert_eq!(ledger.fail(1, MEASURE, 3, 0), Counted::Holds(1000));
        let measure = Measure {
            lockout: 10_000,
            ..MEASURE
        };
        assert_eq!(ledger.fail(1, measure, 1, 0), Counted::Holds(10_000));
        assert_eq!(ledger.try_slowly(&1, 999), Err(1000));
        assert_eq!(ledger.try_slowly(&1, 1000), Ok(()));
        assert_eq!(ledger.try_slowly(&1, 1999), Err(2000));
        assert_eq!(ledger.try_slowly(&1, 10_000), Ok(()), "its time is over");
        assert_eq!(
            ledger.try_slowly(&1, 10_000),
            Ok(()),
            "and every try is let through"
        );
    }

    #[test]
    fn a_flood_takes_no_more_room_and_ends_no_hold() {
        let mut ledger = ledger(100, 10);
        assert_eq!(ledger.fail(0, MEASURE, 3, 0), Counted::Holds(1000));
        for flooding in 1..100_000 {
            assert_eq!(ledger.fail(flooding, MEASURE, 1, 1), Counted::Counts);
        }
        assert!(ledger.young.len() + ledger.old.len() <= 200);
        assert_eq!(ledger.held_until(&0, 999), Some(1000));
    }

    #[test]
    fn where_every_place_holds_a_further_one_is_refused_until_one_is_free() {
        let mut ledger = ledger(100, 3);
        for subject in 0..3 {
            assert_eq!(ledger.fail(subject, MEASURE, 3, 0), Counted::Holds(1000));
        }
        assert_eq!(ledger.fail(3, MEASURE, 3, 10), Counted::NoRoom);
        assert_eq!(ledger.fail(3, MEASURE, 1, 20), Counted::NoRoom);
        for subject in 0..3 {
            assert!(ledger.held_until(&subject, 20).is_some());
        }
        assert_eq!(
            ledger.fail(3, MEASURE, 3, 2000),
            Counted::Holds(3000),
            "the others are over"
        );
    }
}
