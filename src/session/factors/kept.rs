//! Values that are read once, in one process and in bounded room.

use std::collections::{BTreeSet, HashMap};

use ahash::RandomState;

use crate::session::browser::OnceKey;

/// For how many seconds a value is kept at the most.
pub(in crate::session) const KEPT_FOR: u64 = 300;

/// How many bytes a value has at the most.
pub(in crate::session) const KEPT_SIZE: usize = 8 * 1024;

/// 64 MiB when every value is as long as can be; most have some hundred bytes.
const ROOM: usize = 8 * 1024;

/// Values by key, until each is read or its time is over. Where there is no room for another, none is kept: who floods the gateway
/// takes away nothing that others are about to use.
pub(in crate::session) struct KeptValues {
    values: HashMap<OnceKey, (u64, Vec<u8>), RandomState>,
    by_expiry: BTreeSet<(u64, OnceKey)>,
    room: usize,
}

impl KeptValues {
    pub(in crate::session) fn new(hasher: &RandomState) -> Self {
        Self::with_room(ROOM, hasher)
    }

    fn with_room(room: usize, hasher: &RandomState) -> Self {
        Self {
            values: HashMap::with_hasher(hasher.clone()),
            by_expiry: BTreeSet::new(),
            room,
        }
    }

    /// Keeps a value; `false` where there is no room, the key has one, or its time is over.
    pub(in crate::session) fn keep(
        &mut self,
        key: OnceKey,
        value: Vec<u8>,
        until: u64,
        now: u64,
    ) -> bool {
        self.forget_expired(now);
        let is_over = until <= now;
        if is_over || self.values.len() >= self.room || self.values.contains_key(&key) {
            return false;
        }
        self.values.insert(key, (until, value));
        self.by_expiry.insert((until, key))
    }

    /// Takes a value away; `None` where there is none any more.
    pub(in crate::session) fn take(&mut self, key: &OnceKey, now: u64) -> Option<Vec<u8>> {
        self.forget_expired(now);
        let (until, value) = self.values.remove(key)?;
        self.by_expiry.remove(&(until, *key));
        Some(value)
    }

    fn forget_expired(&mut self, now: u64) {
        while let Some((until, key)) = self.by_expiry.first().copied()
            && until <= now
        {
            self.by_expiry.pop_first();
            self.values.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;
    use crate::session::OnceUse;

    fn key(number: u8) -> OnceKey {
        OnceKey::new(OnceUse::Continuation, "", &number.to_string())
    }

    #[test]
    fn a_value_is_read_once_until_its_time_is_over() {
        let mut kept = KeptValues::with_room(2, &ambient::hash_state());
        assert!(kept.keep(key(1), vec![1], 10, 0));
        assert!(!kept.keep(key(1), vec![9], 10, 0), "a key has one value");
        assert!(!kept.keep(key(2), vec![9], 5, 5), "its time is over");
        assert_eq!(kept.take(&key(1), 9), Some(vec![1]));
        assert_eq!(kept.take(&key(1), 9), None);
        assert!(kept.keep(key(1), vec![1], 10, 0));
        assert_eq!(kept.take(&key(1), 10), None);
        assert!(kept.values.is_empty() && kept.by_expiry.is_empty());
    }

    #[test]
    fn a_full_room_takes_nothing_away_from_others() {
        let mut kept = KeptValues::with_room(2, &ambient::hash_state());
        assert!(kept.keep(key(1), vec![1], 10, 0) && kept.keep(key(2), vec![2], 20, 0));
        assert!(!kept.keep(key(3), vec![3], 30, 9));
        assert!(kept.keep(key(3), vec![3], 30, 10), "the first is over");
        assert_eq!(kept.take(&key(2), 19), Some(vec![2]));
    }
}
