//! What the service asks of a provider.

use std::fmt;
use std::pin::Pin;

use secrecy::SecretString;

use crate::session::browser::{BrowserIdentity, ProviderSession};

/// The answer of a provider, in time. It is waited for on one thread.
pub type ProviderFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RenewalError>> + 'a>>;

/// A provider that sessions are renewed at. It sees to it that its answers come in time.
pub trait IdentityProvider: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Which provider has that name now, as sessions record it.
    fn fingerprint(&self) -> &str;

    /// Exchanges a refresh token at this second since 1970.
    fn refresh<'a>(
        &'a self,
        refresh_token: &'a SecretString,
        now: u64,
    ) -> ProviderFuture<'a, Box<dyn RefreshedTokens + 'a>>;
}

/// What a provider gave for a refresh token, not looked at yet.
pub trait RefreshedTokens {
    /// The refresh token that counts from now on; `None`: the former one.
    fn refresh_token(&self) -> Option<&SecretString>;

    /// Who the user of the session is now, at this second since 1970; `None`: who it was.
    fn confirm<'a>(
        &'a self,
        session: &'a ProviderSession,
        now: u64,
    ) -> ProviderFuture<'a, Option<BrowserIdentity>>;
}

/// Why a session was not renewed. `Display` is one line for logs, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewalError {
    /// The provider is away, or the gateway is refused as a client: the session lives on.
    Away(String),
    /// The provider, or who may sign in by the configuration, refuses the session: it ends.
    Ended(String),
}

impl fmt::Display for RenewalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(reason) | Self::Ended(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for RenewalError {}
