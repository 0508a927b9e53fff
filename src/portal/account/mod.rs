//! The page of somebody's account: their sessions, and what they may change themselves.
//!
//! `form` reads what was sent, `sessions`, `password`, `factors` and `enrol` do it, `page` shows it, `codes` keeps what it shows once, and `change` decides whether it may be done.

mod change;
mod codes;
mod enrol;
mod event;
mod factors;
mod form;
mod page;
mod password;
mod sessions;

pub use event::{AccountChange, AccountEvent};
pub(super) use page::{DONE, DONE_KEY, MayChange};

use super::Portal;
use crate::token::VerifiedClaims;
use crate::users::PasswordChanges;

/// Whether users of the list may change their own passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnPasswords {
    /// They may not. The default.
    #[default]
    Off,
    /// They may.
    On,
    /// They could, but there are replicas, and nothing says that these read the same list.
    NotShared,
}

impl Portal {
    /// The same, and this writes passwords into the user list that people choose themselves.
    #[must_use]
    pub fn with_password_changes(self, changes: PasswordChanges) -> Self {
        Self {
            password_changes: Some(changes),
            ..self
        }
    }

    /// Records that the cookie of a session was renewed. It waits for nobody.
    pub fn session_used(&self, session: &VerifiedClaims, now: u64) {
        let last_second = self.browsers.last_second(session);
        self.sessions
            .browser_used(session.session, last_second, now);
    }
}
