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
}

impl CredentialError {
    /// A short, fixed name for logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Token(refusal) => refusal.label(),
            Self::Revoked => "session_ended",
            Self::ApiKey(KeyRefusal::Unknown) => "api_key_unknown",
            Self::ApiKey(KeyRefusal::Expired) => "api_key_expired",
            Self::ApiKey(KeyRefusal::Disabled) => "user_disabled",
            Self::UserGone => "user_gone",
            Self::UserDisabled => "user_disabled",
            Self::TooOld => "too_old",
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
            Self::Revoked | Self::TooOld => TokenRefusal::Revoked,
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
