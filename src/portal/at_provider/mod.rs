//! Signing in with OpenID providers: to the provider, and back with its answer.
//!
//! `start` sends the browser away with a cookie of what its answer is checked with (`pending`), `come_back` takes the
//! answer, `redemption` makes a session of it (`claims`), `words` says to people what went wrong, `leave` ends the
//! session at the provider, and `backchannel` those here that the provider has ended.

mod backchannel;
mod claims;
mod come_back;
mod leave;
mod pending;
mod redemption;
mod start;
mod words;

/// A sign-in with a provider that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderLoginEvent {
    /// The provider's name.
    pub provider: Box<str>,
    /// Who it was, fit for a log; empty where nobody was identified.
    pub user: Box<str>,
    /// Whether there is a session now.
    pub outcome: Result<(), ProviderDenial>,
    /// What was wrong, for operators: without secrets and tokens.
    pub detail: Option<String>,
}

/// Why a sign-in with a provider is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderDenial {
    /// The provider does not answer, or answers what makes no sense.
    Away,
    /// The provider does not accept the code, or the gateway as its client.
    Refused,
    /// The person, or the provider, has said no.
    Denied,
    /// The person was identified, and may not sign in here.
    NotAllowed,
    /// The answer is not to be believed.
    Invalid,
    /// What the provider says does not fit into a cookie.
    TooLarge,
    /// The session could not be signed. A fault of the configuration.
    NoToken,
    /// The state store is unavailable.
    StateAway,
}

impl ProviderDenial {
    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Away => "provider_away",
            Self::Refused => "provider_refused",
            Self::Denied => "denied",
            Self::NotAllowed => "not_allowed",
            Self::Invalid => "provider_invalid",
            Self::TooLarge => "too_large",
            Self::NoToken => "no_token",
            Self::StateAway => "state_away",
        }
    }
}
