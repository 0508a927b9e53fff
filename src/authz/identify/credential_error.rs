//! Why a credential is not valid.

use crate::telemetry::metrics::TokenRefusal;
use crate::token::TokenError;
use crate::users::KeyRefusal;

/// Why a credential is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// The token is invalid.
    Token(TokenError),
    /// Its session has ended.
    Revoked,
    /// The API key is not valid.
    ApiKey(KeyRefusal),
    /// Its user is not in the user list.
    UserGone,
    /// Its user is disabled.
    UserDisabled,
    /// It was issued before its user's `tokens_valid_after`, or has no time of issue.
    TooOld,
    /// The user name or the password is wrong, or they cannot be read.
    Password,
    /// The password is right, and its user has a second factor, or needs one: a password with each request does not count.
    SecondFactor,
    /// The password was not looked at: too many were wrong. The next one may come after so many seconds.
    LockedOut(u64),
    /// The password was not checked: nobody has done so under this snapshot yet, too many wait, or failures cannot be counted.
    Unchecked,
    /// The provider that its session began with is not configured any more, or is another one now.
    ProviderGone,
    /// The provider that its session began with has not confirmed it for too long.
    Unconfirmed,
}

impl CredentialError {
    /// What the operator reads in logs and on the dashboard.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Token(TokenError::KeyId) => "the token is signed by a key that is not configured",
            Self::Token(error) => error.description(),
            Self::Revoked => "the session has ended",
            Self::ApiKey(KeyRefusal::Unknown) => "the API key is unknown",
            Self::ApiKey(KeyRefusal::Expired) => "the API key has expired",
            Self::ApiKey(KeyRefusal::Disabled) | Self::UserDisabled => "the user is disabled",
            Self::UserGone => "the user is not in the user list",
            Self::TooOld => "the token is older than the user's `tokens_valid_after`",
            Self::Password => "the user name or the password is wrong",
            Self::SecondFactor => {
                "a password with each request does not count for a user with a second factor; use an API key"
            }
            Self::LockedOut(_) => "too many passwords were wrong",
            Self::Unchecked => "the password could not be checked",
            Self::ProviderGone => "the provider of the session is not configured any more",
            Self::Unconfirmed => "the provider has not confirmed the session for too long",
        }
    }

    /// The description for the client. It does not reveal that a user is removed or disabled.
    pub fn description(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.description(),
            Self::ApiKey(_) => "the API key is not accepted",
            Self::Revoked | Self::UserGone | Self::UserDisabled | Self::TooOld => {
                "the token is no longer accepted"
            }
            Self::Password | Self::LockedOut(_) | Self::Unchecked => {
                "the user name and password are not accepted"
            }
            Self::SecondFactor => "a password alone is not accepted for this user; use an API key",
            Self::ProviderGone => "the token is no longer accepted",
            Self::Unconfirmed => "the session must be confirmed by the provider",
        }
    }

    /// The label of the metric.
    pub fn kind(self) -> TokenRefusal {
        match self {
            Self::Token(refusal) => kind_of(refusal),
            Self::ApiKey(KeyRefusal::Unknown) => TokenRefusal::ApiKey,
            Self::ApiKey(KeyRefusal::Expired) => TokenRefusal::Expired,
            Self::ApiKey(KeyRefusal::Disabled) | Self::UserGone | Self::UserDisabled => {
                TokenRefusal::User
            }
            Self::Password | Self::SecondFactor | Self::LockedOut(_) | Self::Unchecked => {
                TokenRefusal::Password
            }
            Self::Revoked | Self::TooOld | Self::ProviderGone => TokenRefusal::Revoked,
            Self::Unconfirmed => TokenRefusal::Expired,
        }
    }
}

fn kind_of(refusal: TokenError) -> TokenRefusal {
    match refusal {
        TokenError::Malformed
        | TokenError::Header
        | TokenError::Type
        | TokenError::Critical
        | TokenError::Claims
        | TokenError::Missing
        | TokenError::MissingConfigured
        | TokenError::Subject
        | TokenError::Lifetime => TokenRefusal::Malformed,
        TokenError::Algorithm | TokenError::KeyId | TokenError::Signature => {
            TokenRefusal::Signature
        }
        TokenError::Issuer | TokenError::Audience => TokenRefusal::Scope,
        TokenError::Expired => TokenRefusal::Expired,
        TokenError::NotYetValid | TokenError::IssuedAt => TokenRefusal::Premature,
    }
}
