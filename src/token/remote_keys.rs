//! Keys that are fetched from elsewhere: what is known of them now, and the wish for newer ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Notify, watch};

use super::key_set::KeySet;

/// The last keys that were fetched; none at first. Who verifies never waits for a fetch.
#[derive(Debug, Default)]
pub struct RemoteKeys {
    current: RwLock<Arc<KeySet>>,
    version: AtomicU64,
    wish: Arc<Notify>,
    changes: watch::Sender<()>,
}

impl RemoteKeys {
    /// None so far. `changes` hears of each replacement, of these keys and of all others that share it.
    pub fn new(changes: watch::Sender<()>) -> Self {
        Self {
            current: RwLock::default(),
            version: AtomicU64::default(),
            wish: Arc::default(),
            changes,
        }
    }

    /// The keys that are known now.
    pub fn current(&self) -> Arc<KeySet> {
        // nothing can panic while the lock is held, so a poisoned one is sound
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other keys are known from now on. What was verified with the former ones is verified again.
    pub fn replace(&self, keys: KeySet) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        self.version.fetch_add(1, Ordering::Release);
        self.changes.send_replace(());
    }

    /// Hears of a token with an unknown key, and of the end of these keys.
    pub fn wish(&self) -> Arc<Notify> {
        Arc::clone(&self.wish)
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn want(&self) {
        self.wish.notify_one();
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        // whoever fetches them sees that nobody needs them any more
        self.wish.notify_one();
    }
}
