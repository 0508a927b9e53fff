//! Sessions that were renewed lately, for requests whose cookies say less.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;

use crate::session::browser::{BrowserIdentity, BrowserSession};
use crate::token::SessionId;

/// A change copies one part only.
const PARTS: usize = 64;

/// Sessions in each of the two generations of a part: 32,768 in all. One that is dropped is asked for again, and found in the
/// store.
const ROOM: usize = 256;

/// What is known of a session beyond its cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewedSession {
    /// Who its user is, as the provider says; `None`: as the cookie says.
    pub identity: Option<BrowserIdentity>,
    /// When the provider last confirmed that, in seconds since 1970.
    pub checked_at: u64,
    /// Whether it can be confirmed again without its user: there is a refresh token.
    pub is_renewable: bool,
}

/// The sessions, immutable. When the young generation of a part is full, the old one is dropped.
#[derive(Clone)]
pub(super) struct RenewedSessions {
    parts: [Arc<Part>; PARTS],
}

#[derive(Clone)]
struct Part {
    young: Generation,
    old: Generation,
}

type Generation = HashMap<SessionId, Arc<RenewedSession>, RandomState>;

impl RenewedSession {
    /// What a record says, where it is one of a provider.
    pub(super) fn of(record: &BrowserSession) -> Option<Self> {
        let provider = record.provider.as_ref()?;
        Some(Self {
            identity: record.identity(),
            checked_at: provider.checked_at,
            is_renewable: provider.refresh_token.is_some(),
        })
    }
}

impl RenewedSessions {
    pub(super) fn new(hasher: &RandomState) -> Self {
        let generation = || HashMap::with_hasher(hasher.clone());
        let part = || Part {
            young: generation(),
            old: generation(),
        };
        Self {
            parts: std::array::from_fn(|_| Arc::new(part())),
        }
    }

    pub(super) fn find(&self, session: &SessionId) -> Option<Arc<RenewedSession>> {
        let part = &self.parts[part_of(session)];
        let found = part.young.get(session).or_else(|| part.old.get(session));
        found.cloned()
    }

    pub(super) fn put(&mut self, session: SessionId, renewed: RenewedSession) {
        let part = Arc::make_mut(&mut self.parts[part_of(&session)]);
        part.old.remove(&session);
        if part.young.len() >= ROOM && !part.young.contains_key(&session) {
            let fresh = HashMap::with_hasher(part.young.hasher().clone());
            part.old = std::mem::replace(&mut part.young, fresh);
        }
        part.young.insert(session, Arc::new(renewed));
    }
}

fn part_of(session: &SessionId) -> usize {
    usize::from(session.as_bytes()[0]) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;

    #[test]
    fn the_room_is_bounded_and_the_last_state_is_found() {
        let renewed = |checked_at| RenewedSession {
            identity: None,
            checked_at,
            is_renewable: true,
        };
        let mut sessions = RenewedSessions::new(&ambient::hash_state());
        let id = |number: u32| {
            let mut bytes = [0; 16];
            bytes[4..8].copy_from_slice(&number.to_be_bytes());
            SessionId::from_bytes(bytes)
        };
        for number in 0..2000 {
            sessions.put(id(number), renewed(1));
            sessions.put(id(7), renewed(u64::from(number)));
        }
        assert_eq!(sessions.find(&id(7)).map(|one| one.checked_at), Some(1999));
        assert_eq!(sessions.find(&id(0)), None);
        let kept = (0..2000).filter(|number| sessions.find(&id(*number)).is_some());
        let kept = kept.count();
        assert!((ROOM..=2 * ROOM).contains(&kept), "{kept}");
    }
}
