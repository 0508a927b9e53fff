//! What was used once, in one process and in bounded room.

use std::collections::{BTreeSet, HashMap};

use ahash::RandomState;

use super::once::OnceKey;

/// About 6 MB when full. Each entry is a sign-in at a provider or a logout there, of the last minutes.
const ROOM: usize = 64 * 1024;

/// What was used, until when each is refused anyway. Where there is no room for another, the one that expires first is
/// forgotten: who floods the gateway with sign-ins keeps nobody else from signing in.
pub(in crate::session) struct UsedKeys {
    until: HashMap<OnceKey, u64, RandomState>,
    by_expiry: BTreeSet<(u64, OnceKey)>,
    room: usize,
}

impl UsedKeys {
    pub(in crate::session) fn new(hasher: &RandomState) -> Self {
        Self::with_room(ROOM, hasher)
    }

    fn with_room(room: usize, hasher: &RandomState) -> Self {
        Self {
            until: HashMap::with_hasher(hasher.clone()),
            by_expiry: BTreeSet::new(),
            room,
        }
    }

    /// Uses a key; `false` where it was used before.
    pub(in crate::session) fn insert(&mut self, key: OnceKey, until: u64) -> bool {
        if self.until.contains_key(&key) {
            return false;
        }
        if self.until.len() >= self.room
            && let Some((_, first)) = self.by_expiry.pop_first()
        {
            self.until.remove(&first);
        }
        self.until.insert(key, until);
        self.by_expiry.insert((until, key));
        true
    }

    /// Whether a key was used, and is not forgotten.
    pub(in crate::session) fn contains(&self, key: &OnceKey) -> bool {
        self.until.contains_key(key)
    }

    /// Forgets what is refused anyway by `now`.
    pub(in crate::session) fn forget_expired(&mut self, now: u64) {
        while let Some((until, key)) = self.by_expiry.first().copied() {
            if until > now {
                return;
            }
            self.by_expiry.pop_first();
            self.until.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;
    use crate::session::OnceUse;

    fn key(number: u8) -> OnceKey {
        OnceKey::new(OnceUse::SignInState, "corp", &number.to_string())
    }

    #[test]
    fn a_key_is_good_once_until_its_time_is_over() {
        let mut used = UsedKeys::with_room(8, &ambient::hash_state());
        assert!(!used.contains(&key(1)));
        assert!(used.insert(key(1), 10) && !used.insert(key(1), 20));
        assert!(used.contains(&key(1)) && !used.contains(&key(2)));
        used.forget_expired(9);
        assert!(!used.insert(key(1), 10));
        used.forget_expired(10);
        assert!(used.insert(key(1), 20));
        // uses and issuers have keys of their own
        let others = [
            OnceKey::new(OnceUse::LogoutToken, "corp", "1"),
            OnceKey::new(OnceUse::SignInState, "cor", "p1"),
            OnceKey::new(OnceUse::SignInState, "", "corp1"),
        ];
        assert!(others.into_iter().all(|other| used.insert(other, 20)));
    }

    #[test]
    fn the_room_is_bounded_and_what_expires_first_goes() {
        let mut used = UsedKeys::with_room(2, &ambient::hash_state());
        assert!(used.insert(key(1), 30) && used.insert(key(2), 10) && used.insert(key(3), 20));
        assert!(!used.insert(key(1), 30) && !used.insert(key(3), 20));
        assert!(used.insert(key(2), 10));
        assert_eq!(used.until.len(), used.by_expiry.len());
    }
}
