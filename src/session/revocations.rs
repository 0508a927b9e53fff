//! Sessions that have ended before their tokens expire. Every request asks; hardly any request changes it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ahash::RandomState;
use tokio::sync::watch;

use super::published::{Published, PublishedView};
use crate::token::SessionId;

/// A change copies one part only.
const PARTS: usize = 64;

/// The ended sessions of the whole process, as it knows them. They are never forgotten before the last token of such a
/// session has expired: none makes room for another.
///
/// Their number is bounded by what made them: each stands for a login that has succeeded within the longest life of a
/// token, and takes about 40 bytes.
pub struct Revocations {
    revoked: Arc<Published<Revoked>>,
    changes: watch::Sender<()>,
}

/// One state of them, immutable. The value is the second since 1970 from which on it may be forgotten.
#[derive(Clone)]
struct Revoked {
    parts: [Arc<HashMap<SessionId, u64, RandomState>>; PARTS],
}

/// One worker's view: while nothing changes, a look costs one load and no lock.
pub struct RevocationView {
    shared: Arc<Revocations>,
    revoked: PublishedView<Revoked>,
}

impl Revocations {
    /// None has ended. The hasher's seed is random.
    pub fn new(hasher: RandomState) -> Arc<Self> {
        let parts = std::array::from_fn(|_| Arc::new(HashMap::with_hasher(hasher.clone())));
        Arc::new(Self {
            revoked: Arc::new(Published::new(Revoked { parts })),
            changes: watch::Sender::new(()),
        })
    }

    /// Hears of each further change. Whoever keeps connections open on behalf of a session looks again then.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// A view for one thread.
    pub fn view(self: &Arc<Self>) -> RevocationView {
        RevocationView {
            shared: Arc::clone(self),
            revoked: self.revoked.view(),
        }
    }

    /// Ends sessions, each until its last token has expired, in seconds since 1970.
    pub(super) fn add(&self, ended: &[(SessionId, u64)]) {
        if ended.is_empty() {
            return;
        }
        self.revoked.change(|revoked| {
            for (session, until) in ended {
                let part = Arc::make_mut(&mut revoked.parts[part_of(session)]);
                let known = part.entry(*session).or_insert(*until);
                *known = (*known).max(*until);
            }
        });
        self.changes.send_replace(());
    }

    /// Forgets those whose tokens have all expired.
    pub(super) fn forget_expired(&self, now: u64) {
        self.revoked.change(|revoked| {
            for part in &mut revoked.parts {
                if part.values().any(|until| *until <= now) {
                    Arc::make_mut(part).retain(|_, until| *until > now);
                }
            }
        });
    }

    /// Whether a session has ended.
    pub(super) fn contains(&self, session: &SessionId) -> bool {
        self.revoked.pin().contains(session)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(SessionId, u64)> {
        let revoked = self.revoked.pin();
        revoked
            .parts
            .iter()
            .flat_map(|part| part.iter().map(|(session, until)| (*session, *until)))
            .collect()
    }
}

impl Revoked {
    fn contains(&self, session: &SessionId) -> bool {
        self.parts[part_of(session)].contains_key(session)
    }
}

impl RevocationView {
    /// Whether a session has ended, as far as this process knows now.
    pub fn is_revoked(&self, session: &SessionId) -> bool {
        self.revoked.look(|revoked| revoked.contains(session))
    }

    /// Hears of each further change.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.shared.changed()
    }
}

fn part_of(session: &SessionId) -> usize {
    usize::from(session.as_bytes()[0]) % PARTS
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;

    fn session(number: u16) -> SessionId {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        SessionId::from_bytes(bytes)
    }

    #[test]
    fn a_view_sees_every_change() {
        let revocations = Revocations::new(ambient::hash_state());
        let (view, mut changed) = (revocations.view(), revocations.changed());
        assert!(!view.is_revoked(&session(1)));
        assert!(!changed.has_changed().unwrap());
        revocations.add(&[(session(1), 10), (session(300), 20)]);
        assert!(
            view.is_revoked(&session(1))
                && view.is_revoked(&session(300))
                && !view.is_revoked(&session(2))
        );
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        revocations.add(&[]);
        assert!(!changed.has_changed().unwrap());
    }

    #[test]
    fn none_is_forgotten_too_early() {
        let revocations = Revocations::new(ambient::hash_state());
        revocations.add(&[(session(1), 10), (session(2), 20)]);
        revocations.add(&[(session(1), 5), (session(2), 30)]);
        for (now, left) in [(9, vec![1, 2]), (10, vec![2]), (29, vec![2]), (30, vec![])] {
            revocations.forget_expired(now);
            let mut all: Vec<_> = revocations
                .all()
                .into_iter()
                .map(|(session, _)| session)
                .collect();
            all.sort();
            assert_eq!(
                all,
                left.into_iter().map(session).collect::<Vec<_>>(),
                "{now}"
            );
        }
    }
}
