//! What is known of a provider now. Whoever needs it never waits for the provider.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use super::metadata::ProviderMetadata;
use crate::token::RemoteKeys;

/// What is known of a provider, by all snapshots that configure it alike.
#[derive(Default)]
pub(super) struct ProviderSource {
    state: RwLock<SourceState>,
    wish: Arc<Notify>,
}

#[derive(Clone, Default)]
struct SourceState {
    known: Option<Arc<KnownProvider>>,
    /// Why the last attempt to learn more has failed.
    failure: Option<String>,
}

/// The metadata and the keys of a provider.
pub(super) struct KnownProvider {
    pub(super) metadata: ProviderMetadata,
    pub(super) keys: Arc<RemoteKeys>,
}

impl ProviderSource {
    /// The last that was learnt, or why nothing was. In that case it is tried again soon.
    pub(super) fn known(&self) -> Result<Arc<KnownProvider>, String> {
        let SourceState { known, failure } = self.state();
        known.ok_or_else(|| {
            self.wish.notify_one();
            failure.unwrap_or_else(|| "its metadata are not known yet".to_owned())
        })
    }

    /// Why the last attempt to learn more has failed; `None` where it has not.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure
    }

    /// Records what was learnt.
    pub(super) fn learn(&self, known: KnownProvider) {
        *self.lock() = SourceState {
            known: Some(Arc::new(known)),
            failure: None,
        };
    }

    /// Records why nothing was; gives whether something is known all the same.
    pub(super) fn fail(&self, reason: &str) -> bool {
        let mut state = self.lock();
        state.failure = Some(reason.to_owned());
        state.known.is_some()
    }

    /// Hears of somebody who needs what is not known, and of the end of this source.
    pub(super) fn wish(&self) -> Arc<Notify> {
        Arc::clone(&self.wish)
    }

    // nothing can panic while the lock is held, so a poisoned one is sound
    fn lock(&self) -> std::sync::RwLockWriteGuard<'_, SourceState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> SourceState {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }
}

impl Drop for ProviderSource {
    fn drop(&mut self) {
        self.wish.notify_one();
    }
}
