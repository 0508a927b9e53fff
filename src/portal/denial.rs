//! Why a login or a refresh is denied.

use crate::ldap::LdapFailure;
use crate::session::{Begun, FactorError, StoreUnavailable, Throttled};
use crate::token::IssueError;

/// Why a login is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginDenial {
    /// An unknown or disabled user, or a wrong password; not distinguished. These lockouts began with it.
    Invalid(Begun),
    /// The same, of a password that is longer than bcrypt reads. Only the log tells it apart.
    TooLong(Begun),
    /// A client that showed no secret, or a wrong one. No account is held for it.
    Client,
    /// The password was not checked: too many were waiting.
    Busy,
    /// Too many failures. The password was not looked at, or does not count; the next one may come after so many
    /// seconds.
    LockedOut(u64),
    /// The state store is unavailable, so failures cannot be counted.
    Away,
    /// The directory cannot be asked, so that nothing is known of the password.
    DirectoryAway,
    /// The password is correct, and a second factor is asked for.
    SecondFactor,
    /// The password is correct, a second factor is required, and the user has none.
    NoFactor,
    /// The password is correct, and the code is wrong or was used before. These lockouts began with it.
    WrongCode(Begun),
    /// What stands for a right password is unknown, used, too old, or somebody else's.
    Continuation,
    /// No configured key opens what is kept of the second factors.
    Unreadable,
    /// The password is correct, but no token could be issued. A fault of the configuration.
    NoToken(IssueError),
}

/// Why a refresh is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshDenial {
    /// The token is unknown, expired or of a session that has ended, or its user may not log in any more.
    Refused,
    /// The token was spent before. Its session has ended now.
    Reused,
    /// The state store is unavailable.
    Away,
    /// The directory cannot be asked whether its user still is one. The token is not spent.
    DirectoryAway,
    /// The refresh token is valid, but no access token could be issued. A fault of the configuration.
    NoToken(IssueError),
}

impl LoginDenial {
    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::TooLong(_) => "invalid",
            Self::Client => "invalid_client",
            Self::Busy => "busy",
            Self::LockedOut(_) => "locked_out",
            Self::Away => "state_away",
            Self::DirectoryAway => "directory_away",
            Self::SecondFactor => "second_factor_required",
            Self::NoFactor => "no_second_factor",
            Self::WrongCode(_) => "wrong_code",
            Self::Continuation => "invalid_continuation",
            Self::Unreadable => "unreadable_factors",
            Self::NoToken(_) => "no_token",
        }
    }

    /// Which lockouts began with it.
    pub fn begun(self) -> Option<Begun> {
        match self {
            Self::Invalid(begun) | Self::TooLong(begun) | Self::WrongCode(begun) => Some(begun),
            Self::Client
            | Self::Busy
            | Self::LockedOut(_)
            | Self::Away
            | Self::DirectoryAway
            | Self::SecondFactor
            | Self::NoFactor
            | Self::Continuation
            | Self::Unreadable
            | Self::NoToken(_) => None,
        }
    }
}

impl LoginDenial {
    /// What an operator would not guess from the label.
    pub fn remark(self) -> Option<&'static str> {
        match self {
            Self::TooLong(_) => Some(
                "the password has more than 72 bytes, of which bcrypt reads the first 72 only; a program that cuts it would accept it",
            ),
            Self::Unreadable => Some(
                "they were sealed with a key that `auth.token` does not have any more: put it into `auth.token.previous`, or remove the user's factors",
            ),
            Self::Invalid(_)
            | Self::Client
            | Self::Busy
            | Self::LockedOut(_)
            | Self::Away
            | Self::DirectoryAway
            | Self::SecondFactor
            | Self::NoFactor
            | Self::WrongCode(_)
            | Self::Continuation
            | Self::NoToken(_) => None,
        }
    }
}

impl RefreshDenial {
    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reused => "reused",
            Self::Away => "state_away",
            Self::DirectoryAway => "directory_away",
            Self::NoToken(_) => "no_token",
        }
    }
}

impl From<LdapFailure> for RefreshDenial {
    fn from(failure: LdapFailure) -> Self {
        match failure {
            LdapFailure::Refused => Self::Refused,
            LdapFailure::Busy | LdapFailure::Unavailable(_) => Self::DirectoryAway,
        }
    }
}

impl From<Throttled> for LoginDenial {
    fn from(throttled: Throttled) -> Self {
        Self::LockedOut(throttled.millis.div_ceil(1000))
    }
}

impl From<StoreUnavailable> for LoginDenial {
    fn from(_: StoreUnavailable) -> Self {
        Self::Away
    }
}

impl From<FactorError> for LoginDenial {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Unavailable(_) => Self::Away,
            FactorError::Unreadable => Self::Unreadable,
        }
    }
}

impl From<IssueError> for LoginDenial {
    fn from(error: IssueError) -> Self {
        Self::NoToken(error)
    }
}

impl From<StoreUnavailable> for RefreshDenial {
    fn from(_: StoreUnavailable) -> Self {
        Self::Away
    }
}
