//! Word that a session is to be renewed.

use std::sync::Arc;
use std::time::Duration;

use super::provider::IdentityProvider;
use crate::session::Times;
use crate::token::{CookieSessions, SessionId};

/// A session of which the provider is to be asked again, under the configuration of the request that noticed it.
pub struct RenewalRequest {
    /// The session.
    pub session: SessionId,
    /// Its provider.
    pub provider: Arc<dyn IdentityProvider>,
    /// What opens and seals refresh tokens.
    pub browsers: Arc<CookieSessions>,
    /// When the provider has confirmed the session last, as far as the request knows, in seconds since 1970.
    pub checked_at: u64,
    /// How often the provider is asked.
    pub every: Duration,
    /// The longest that a token may be valid from now, in seconds: for so long it is remembered that a session has ended.
    pub longest_token: u64,
}

/// Whether it is time to ask a provider again at `now`: two thirds of the interval are over.
pub(super) fn is_due(checked_at: u64, every: Duration, now: u64) -> bool {
    now >= checked_at.saturating_add(every.as_secs() * 2 / 3)
}

impl RenewalRequest {
    pub(super) fn times(&self, now: u64) -> Times {
        Times {
            now,
            ttl: self.longest_token,
            last_token: now.saturating_add(self.longest_token),
        }
    }
}
