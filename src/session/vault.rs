//! The families that one process keeps, in bounded room.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ahash::RandomState;

use super::family::Family;
use crate::token::SessionId;

/// How many sessions there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    /// Of all users.
    pub(super) all: usize,
    /// Of one user: a program that logs in again and again pushes out its own sessions, and not those of others.
    pub(super) one: usize,
}

/// About 60 MiB when full.
pub(super) const CAPACITY: Capacity = Capacity {
    all: 128 * 1024,
    one: 1024,
};

/// All families by session. Where there is no room for another, the one that expires first is forgotten: its user logs
/// in again when the access token expires.
pub(super) struct Vault {
    families: HashMap<SessionId, Family, RandomState>,
    by_expiry: BTreeSet<(u64, SessionId)>,
    by_subject: HashMap<Arc<str>, BTreeSet<(u64, SessionId)>, RandomState>,
    capacity: Capacity,
}

impl Vault {
    pub(super) fn new(capacity: Capacity, hasher: &RandomState) -> Self {
        Self {
            families: HashMap::with_hasher(hasher.clone()),
            by_expiry: BTreeSet::new(),
            by_subject: HashMap::with_hasher(hasher.clone()),
            capacity,
        }
    }

    pub(super) fn find(&self, session: &SessionId) -> Option<&Family> {
        self.families.get(session)
    }

    /// Keeps a family, in place of an older state of it. Returns the sessions that had to make room.
    pub(super) fn put(&mut self, session: SessionId, family: Family) -> Vec<SessionId> {
        self.remove(&session);
        let place = (family.expires_at(), session);
        let own = match self.by_subject.get_mut(&*family.subject) {
            Some(own) => own,
            None => self
                .by_subject
                .entry(family.subject.as_ref().into())
                .or_default(),
        };
        own.insert(place);
        let crowded = (own.len() > self.capacity.one)
            .then(|| own.first().copied())
            .flatten();
        self.by_expiry.insert(place);
        self.families.insert(session, family);
        let full = self.families.len() > self.capacity.all;
        let leaving = crowded.or_else(|| self.by_expiry.first().copied().filter(|_| full));
        let leaving: Vec<_> = leaving.map(|(_, session)| session).into_iter().collect();
        leaving
            .iter()
            .for_each(|session| drop(self.remove(session)));
        leaving
    }

    pub(super) fn remove(&mut self, session: &SessionId) -> Option<Family> {
        let family = self.families.remove(session)?;
        let place = (family.expires_at(), *session);
        self.by_expiry.remove(&place);
        if let Some(own) = self.by_subject.get_mut(&*family.subject) {
            own.remove(&place);
            if own.is_empty() {
                self.by_subject.remove(&*family.subject);
            }
        }
        Some(family)
    }

    /// The families of a user.
    pub(super) fn of_subject(&self, subject: &str) -> Vec<(SessionId, &Family)> {
        let own = self.by_subject.get(subject).into_iter().flatten();
        own.filter_map(|(_, session)| Some((*session, self.families.get(session)?)))
            .collect()
    }

    /// So many families at most, from a place on, in the order in which they expire.
    pub(super) fn page(&self, from: usize, count: usize) -> Vec<(SessionId, &Family)> {
        let page = self.by_expiry.iter().skip(from).take(count);
        page.filter_map(|(_, session)| Some((*session, self.families.get(session)?)))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.families.len()
    }

    /// Removes a family that has expired by `now`; `None` where there is none.
    pub(super) fn remove_expired(&mut self, now: u64) -> Option<SessionId> {
        let (expires_at, session) = *self.by_expiry.first()?;
        (expires_at <= now).then(|| {
            self.remove(&session);
            session
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;
    use crate::session::RefreshToken;

    fn session(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    fn family(subject: &str, now: u64) -> Family {
        Family::open(
            subject.into(),
            RefreshToken::first([0; 16], [0; 32]).digest(),
            now,
            100,
        )
    }

    fn vault() -> Vault {
        Vault::new(Capacity { all: 4, one: 2 }, &ambient::hash_state())
    }

    #[test]
    fn a_user_pushes_out_own_sessions_only() {
        let mut vault = vault();
        assert_eq!(vault.put(session(0), family("quiet", 0)), []);
        for number in 1..=2 {
            assert_eq!(
                vault.put(session(number), family("noisy", number.into())),
                []
            );
        }
        assert_eq!(vault.put(session(3), family("noisy", 3)), [session(1)]);
        assert_eq!(vault.put(session(4), family("noisy", 4)), [session(2)]);
        assert!(vault.find(&session(0)).is_some());
    }

    #[test]
    fn a_full_vault_forgets_what_expires_first() {
        let mut vault = vault();
        for number in 0..4 {
            assert_eq!(
                vault.put(session(number), family(&number.to_string(), number.into())),
                []
            );
        }
        // to be kept again in a later state takes no room
        assert_eq!(vault.put(session(0), family("0", 9)), []);
        assert_eq!(vault.put(session(4), family("4", 5)), [session(1)]);
        assert_eq!(vault.remove_expired(101), None);
        assert_eq!(vault.remove_expired(102), Some(session(2)));
        assert_eq!(vault.families.len(), vault.by_expiry.len());
        for number in 0..5 {
            vault.remove(&session(number));
        }
        assert!(vault.by_expiry.is_empty() && vault.by_subject.is_empty());
    }
}
