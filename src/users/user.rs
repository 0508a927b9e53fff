//! One user of the list.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::api_key::ApiKey;
use super::password::PasswordHash;
use crate::access::Identity;
use crate::factors::TotpSecret;

/// One user as the users file has it. A list may hold a million of them: what few have is kept apart.
#[derive(Clone, Debug)]
pub struct User {
    /// What rules and identity headers see.
    pub identity: Arc<Identity>,
    /// The password; `None`: no password login.
    pub password: Option<PasswordHash>,
    extras: Option<Box<UserExtras>>,
}

/// What few users have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserExtras {
    /// The secret of an authenticator app, whose codes are asked for after the password; `None`: there is none.
    pub totp: Option<TotpSecret>,
    /// A disabled user can neither log in nor use a token.
    pub disabled: bool,
    /// Tokens issued before this second since 1970 are refused; it is not before [`UserExtras::created`].
    pub tokens_valid_after: Option<u64>,
    /// Since this second since 1970 the name is this user's: second factors that were added before are another person's.
    pub created: Option<u64>,
    /// `claims` as written, copied into new tokens; `None`: there are none.
    pub claims: Option<Box<Map<String, Value>>>,
    /// The keys of programs.
    pub api_keys: Vec<ApiKey>,
}

/// What most users have of it.
static NO_EXTRAS: UserExtras = UserExtras {
    totp: None,
    disabled: false,
    tokens_valid_after: None,
    created: None,
    claims: None,
    api_keys: Vec::new(),
};

impl User {
    /// The user with this identity and password.
    pub fn new(
        identity: Arc<Identity>,
        password: Option<PasswordHash>,
        extras: UserExtras,
    ) -> Self {
        let extras = (extras != NO_EXTRAS).then(|| Box::new(extras));
        Self {
            identity,
            password,
            extras,
        }
    }

    /// What few users have, or nothing of it.
    pub fn extras(&self) -> &UserExtras {
        self.extras.as_deref().unwrap_or(&NO_EXTRAS)
    }

    /// The API key with this fingerprint, expired or not.
    pub fn key_of(&self, fingerprint: &str) -> Option<&ApiKey> {
        let mut keys = self.extras().api_keys.iter();
        keys.find(|key| key.digest.fingerprint() == fingerprint)
    }

    /// Whether a token of this user counts that was issued then, in seconds since 1970; `None` where it does not say.
    ///
    /// # Errors
    /// [`UserRefusal`] where the user is disabled, or where `tokens_valid_after` is set and the token is not known to be
    /// younger.
    pub fn admit(&self, issued_at: Option<u64>) -> Result<(), UserRefusal> {
        let extras = self.extras();
        let young_enough = |after: u64| issued_at.is_some_and(|issued| issued >= after);
        match () {
            () if extras.disabled => Err(UserRefusal::Disabled),
            () if !extras.tokens_valid_after.is_none_or(young_enough) => Err(UserRefusal::TooOld),
            () => Ok(()),
        }
    }
}

/// Why the user list refuses the bearer of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRefusal {
    /// Another issuer's subject has the name of a user, and is not that user.
    Impostor,
    /// Another issuer's subject is a user's name in other case: whom a service or an issuer takes it for is not certain.
    LookAlike,
    /// The user is disabled.
    Disabled,
    /// The token is older than the user's `tokens_valid_after`, or does not say how old it is.
    TooOld,
}

impl fmt::Display for UserRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Impostor => "a user of the list has the name of its subject",
            Self::LookAlike => "a user of the list has the name of its subject in other case",
            Self::Disabled => "the user is disabled",
            Self::TooOld => "the token is older than `tokens_valid_after`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million of them are 208 MB with what the allocator rounds up to, beside their names.
    #[test]
    fn a_user_without_extras_takes_little() {
        assert!(size_of::<User>() <= 64, "{}", size_of::<User>());
        assert!(size_of::<Identity>() <= 112, "{}", size_of::<Identity>());
    }
}
