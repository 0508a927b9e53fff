//! The tokens that a worker has verified under the snapshot in force.

use std::cell::RefCell;
use std::sync::Arc;

use super::passwords::PasswordView;
use crate::access::Identity;
use crate::ambient;
use crate::token::{ExternalToken, TokenCache, VerifiedClaims};

/// Tokens that are remembered as verified; about 60 bytes each, and the token.
const CACHED_TOKENS: usize = 4096;

/// The tokens that a worker has verified. A reload forgets them all.
pub struct VerifiedTokens {
    pub(super) bearers: RefCell<TokenCache<Remembered>>,
    /// The same for sessions of browsers: a token that is valid as one is not valid as the other.
    pub(super) sessions: RefCell<TokenCache<Admitted>>,
    /// The same for user names and passwords.
    pub(super) passwords: RefCell<PasswordView>,
}

impl VerifiedTokens {
    /// Whether this bearer token has been verified.
    pub fn contains_bearer(&self, token: &str) -> bool {
        self.bearers.borrow().find(token).is_some()
    }
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self {
            bearers: RefCell::new(TokenCache::new(CACHED_TOKENS, ambient::hash_state())),
            sessions: RefCell::new(TokenCache::new(CACHED_TOKENS, ambient::hash_state())),
            passwords: RefCell::default(),
        }
    }
}

/// A verified token.
pub(super) enum Remembered {
    Own(Admitted),
    Foreign(ExternalToken),
}

/// A token of the gateway, and its user in this snapshot's user list. The list is immutable, so the user is looked up
/// once.
pub(super) struct Admitted {
    pub(super) claims: VerifiedClaims,
    pub(super) identity: Arc<Identity>,
    /// From this second since 1970 on the API key is refused that the token was issued for; else [`NEVER`](crate::users::NEVER).
    pub(super) key_expires_at: u64,
    /// Of a session that began with a provider.
    pub(super) check: Option<ProviderCheck>,
}

/// When a provider is to confirm a session, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct ProviderCheck {
    /// From two thirds of `refresh` on.
    pub(super) due: u64,
    /// Without a refresh token: when the session counts for nothing until the person has been to the provider again.
    pub(super) end: Option<u64>,
    /// Whether the browser's cookie says less.
    pub(super) is_confirmed: bool,
    /// How many seconds a connection that the session opened may pass without a look at what the provider says.
    pub(super) look: u64,
}
