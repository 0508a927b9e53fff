//! Whose password was right.

use std::sync::Arc;

use crate::access::Identity;
use crate::factors::TotpSecret;
use crate::users::User;

/// Whose password it was.
pub(super) enum SignedIn {
    /// A user of the list.
    Listed(Arc<User>),
    /// Somebody of the directory.
    Directory(Arc<Identity>),
}

impl SignedIn {
    pub(super) fn identity(&self) -> &Arc<Identity> {
        match self {
            Self::Listed(user) => &user.identity,
            Self::Directory(identity) => identity,
        }
    }

    /// The secret of an app that the user list has.
    pub(super) fn totp(&self) -> Option<&TotpSecret> {
        match self {
            Self::Listed(user) => user.extras().totp.as_ref(),
            Self::Directory(_) => None,
        }
    }
}
