//! The records of browsers' sessions that one process keeps, in bounded room.
//!
//! Most of them rest, and there may be a hundred thousand: each is one piece, with 8 bytes in each index.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::record::BrowserSession;
use super::select::IndexKey;
use crate::token::SessionId;

/// How many sessions there may be. Where there is no room for another, the one that expires first ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Capacity {
    /// Of all users.
    pub(in crate::session) all: usize,
    /// Of one user: who signs in again and again ends own sessions, and not those of others.
    pub(in crate::session) one: usize,
}

const CAPACITY: Capacity = Capacity {
    all: 128 * 1024,
    one: 1024,
};

/// All records by session.
pub(in crate::session) struct BrowserShelf {
    records: BTreeMap<SessionId, Box<[u8]>>,
    /// By the second of the end, with the short form of the session's name.
    by_expiry: BTreeSet<(u32, u32)>,
    /// By the short form of an index key, with that of the session's name. What is found is compared with the record.
    index: BTreeSet<(u32, u32)>,
    capacity: Capacity,
}

impl Default for BrowserShelf {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

impl BrowserShelf {
    pub(in crate::session) fn new(capacity: Capacity) -> Self {
        Self {
            records: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            index: BTreeSet::new(),
            capacity,
        }
    }

    pub(in crate::session) fn find(&self, session: &SessionId) -> Option<BrowserSession> {
        BrowserSession::from_packed(self.records.get(session)?)
    }

    /// Keeps a record, in place of an older state of it. Returns the sessions that had to make room.
    pub(in crate::session) fn put(
        &mut self,
        session: SessionId,
        record: &BrowserSession,
    ) -> Vec<SessionId> {
        self.remove(&session);
        self.insert_into_indexes(&session, record);
        self.records.insert(session, record.to_packed());
        let crowded = self.first_of_a_crowd(&record.subject);
        let full = (self.records.len() > self.capacity.all)
            .then(|| self.by_expiry.first().map(|(_, short)| *short))
            .flatten();
        let full = full.and_then(|short| self.with_short(short).next().map(|(id, _)| *id));
        let leaving: Vec<_> = crowded.or(full).into_iter().collect();
        for session in &leaving {
            self.remove(session);
        }
        leaving
    }

    /// The session of a user that expires first, where the user has too many.
    fn first_of_a_crowd(&self, user: &str) -> Option<SessionId> {
        let key = IndexKey::of_user(user);
        // records are read only where there may be too many
        if self.indexed(key).count() <= self.capacity.one {
            return None;
        }
        let mut own = self.find_all(key);
        own.retain(|(_, record)| *record.subject == *user);
        let first = own
            .iter()
            .min_by_key(|(_, record)| record.expires_at)
            .map(|(session, _)| *session);
        first.filter(|_| own.len() > self.capacity.one)
    }

    pub(in crate::session) fn remove(&mut self, session: &SessionId) -> Option<BrowserSession> {
        let record = BrowserSession::from_packed(&self.records.remove(session)?)?;
        let short = short(session);
        self.by_expiry.remove(&(second(record.expires_at), short));
        for key in IndexKey::all_of(&record) {
            self.index.remove(&(key.short(), short));
        }
        // an entry may have stood for another session of the same short name as well
        let twins: Vec<_> = self.with_short(short).map(|(twin, _)| *twin).collect();
        for twin in twins {
            if let Some(record) = self.find(&twin) {
                self.insert_into_indexes(&twin, &record);
            }
        }
        Some(record)
    }

    fn insert_into_indexes(&mut self, session: &SessionId, record: &BrowserSession) {
        let short = short(session);
        for key in IndexKey::all_of(record) {
            self.index.insert((key.short(), short));
        }
        self.by_expiry.insert((second(record.expires_at), short));
    }

    /// Removes a record that has expired by `now`; `None` where there is none.
    pub(in crate::session) fn remove_expired(&mut self, now: u64) -> Option<SessionId> {
        let (expires_at, short) = *self.by_expiry.first()?;
        if expires_at > second(now) {
            return None;
        }
        let session = self.with_short(short).find_map(|(session, text)| {
            let record = BrowserSession::from_packed(text)?;
            (second(record.expires_at) == expires_at).then_some(*session)
        });
        let session = session?;
        self.remove(&session);
        Some(session)
    }

    /// The sessions that an index key finds, with their records.
    pub(in crate::session) fn find_all(&self, key: IndexKey) -> Vec<(SessionId, BrowserSession)> {
        let found = self.indexed(key).flat_map(|short| self.with_short(short));
        let records = found.filter_map(|(session, text)| {
            let record = BrowserSession::from_packed(text)?;
            let is_meant = IndexKey::all_of(&record).contains(&key);
            is_meant.then_some((*session, record))
        });
        records.collect()
    }

    /// So many records at most, from a place on.
    pub(in crate::session) fn page(
        &self,
        from: usize,
        count: usize,
    ) -> impl Iterator<Item = (SessionId, BrowserSession)> {
        let page = self.records.iter().skip(from).take(count);
        page.filter_map(|(session, text)| Some((*session, BrowserSession::from_packed(text)?)))
    }

    pub(in crate::session) fn len(&self) -> usize {
        self.records.len()
    }

    fn indexed(&self, key: IndexKey) -> impl Iterator<Item = u32> {
        let key = key.short();
        let found = self.index.range((key, 0)..=(key, u32::MAX));
        found.map(|(_, short)| *short)
    }

    fn with_short(&self, short: u32) -> impl Iterator<Item = (&SessionId, &[u8])> {
        let bound = |fill: u8| {
            let mut bytes = [fill; 16];
            bytes[..4].copy_from_slice(&short.to_be_bytes());
            Bound::Included(SessionId::from_bytes(bytes))
        };
        let found = self.records.range((bound(0), bound(u8::MAX)));
        found.map(|(session, text)| (session, &**text))
    }
}

/// The begin of a session's name, in the order of names. Two sessions may have the same.
fn short(session: &SessionId) -> u32 {
    let [a, b, c, d, ..] = *session.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A second that is too far away for the index is its last one.
fn second(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionSelector;
    use crate::session::browser::record::tests::at_provider;

    fn session(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    fn local(subject: &str, expires_at: u64) -> BrowserSession {
        BrowserSession::begun(subject, 0, expires_at)
    }

    fn shelf() -> BrowserShelf {
        BrowserShelf::new(Capacity { all: 4, one: 2 })
    }

    fn found(shelf: &BrowserShelf, key: IndexKey) -> Vec<SessionId> {
        let found = shelf.find_all(key).into_iter();
        found.map(|(session, _)| session).collect()
    }

    #[test]
    fn sessions_are_found_by_each_of_their_names() {
        let mut shelf = shelf();
        shelf.put(session(1), &at_provider("alice", "1", Some("a")));
        shelf.put(session(2), &at_provider("alice", "1", None));
        shelf.put(session(3), &local("rita", 9));
        let lone = |sub: &str| {
            let selector = SessionSelector::ProviderSubWithoutSid("corp".into(), sub.into());
            IndexKey::of(&selector).unwrap()
        };
        for (key, expected) in [
            (IndexKey::of_user("alice"), vec![1, 2]),
            (IndexKey::of_user("rita"), vec![3]),
            (IndexKey::of_user("alic"), vec![]),
            (IndexKey::of_sub("corp", "1"), vec![1, 2]),
            (IndexKey::of_sub("other", "1"), vec![]),
            (IndexKey::of_sid("corp", "a"), vec![1]),
            (IndexKey::of_sid("corp", "1"), vec![]),
            (lone("1"), vec![2]),
            (lone("a"), vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(session).collect();
            assert_eq!(found(&shelf, key), expected);
        }
        // another state of a record is found by its own names alone
        shelf.put(session(1), &at_provider("alice", "1", Some("b")));
        assert_eq!(found(&shelf, IndexKey::of_sid("corp", "a")), []);
        assert_eq!(found(&shelf, IndexKey::of_sid("corp", "b")), [session(1)]);
        assert_eq!(shelf.page(1, 5).count(), 2);
        for number in 1..=3 {
            assert!(shelf.remove(&session(number)).is_some());
        }
        assert!(shelf.index.is_empty() && shelf.by_expiry.is_empty() && shelf.len() == 0);
    }

    #[test]
    fn a_user_pushes_out_own_sessions_only_and_a_full_shelf_what_expires_first() {
        let mut shelf = shelf();
        assert_eq!(shelf.put(session(0), &local("quiet", 1)), []);
        assert_eq!(shelf.put(session(1), &local("noisy", 5)), []);
        assert_eq!(shelf.put(session(2), &local("noisy", 4)), []);
        assert_eq!(shelf.put(session(3), &local("noisy", 6)), [session(2)]);
        assert_eq!(shelf.put(session(4), &local("a", 7)), []);
        assert_eq!(shelf.put(session(4), &local("a", 8)), [], "a later state");
        assert_eq!(shelf.put(session(5), &local("b", 9)), [session(0)]);
        assert_eq!(shelf.remove_expired(4), None);
        assert_eq!(shelf.remove_expired(6), Some(session(1)));
        assert_eq!(shelf.remove_expired(6), Some(session(3)));
        assert_eq!(shelf.remove_expired(6), None);
        assert_eq!(shelf.len(), shelf.by_expiry.len());
    }

    #[test]
    fn sessions_of_one_short_name_are_told_apart() {
        let mut shelf = shelf();
        let twin = |last| {
            let mut bytes = [7; 16];
            bytes[15] = last;
            SessionId::from_bytes(bytes)
        };
        for (one, other, expires_at) in [("a", "b", 6), ("a", "a", 5)] {
            shelf.put(twin(1), &local(one, 5));
            shelf.put(twin(2), &local(other, expires_at));
            assert_eq!(shelf.remove_expired(5), Some(twin(1)));
            assert_eq!(found(&shelf, IndexKey::of_user(other)), [twin(2)]);
            assert_eq!(shelf.remove_expired(6), Some(twin(2)));
            assert!(shelf.by_expiry.is_empty() && shelf.index.is_empty());
        }
    }
}
