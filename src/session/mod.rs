//! What outlives a request: refresh tokens, records of sessions, sessions that were ended, what is good once,
//! second factors, and failed logins.
//!
//! All of it is kept by a store: the memory of this process, a file, or a Redis that all replicas share. The store has
//! a thread of its own, and only logins, refreshes and logouts wait for it. A proxied request asks nothing but
//! [`RevocationView::is_revoked`], which is answered from memory.
//!
//! `renewal` asks providers again whether sessions still hold. `family` and `throttle` decide, without a clock and without chance; `local` keeps what they decide in this process,
//! `file` writes it down, and `remote` keeps it in Redis.

mod attempt;
mod browser;
mod browsers;
mod factor_store;
mod factors;
mod family;
mod file;
mod health;
mod holds;
mod in_flight;
mod job;
mod known;
mod ledger;
mod local;
mod lockout;
mod passed_time;
mod probe;
mod published;
mod refresh_token;
mod remote;
mod renewal;
mod reply;
mod revocations;
mod sessions;
mod settings;
mod store_thread;
mod throttle;
mod vault;

pub use attempt::{
    Account, Admission, AttemptLimits, Begun, DeviceId, LoginAttempt, Network, PasswordResult,
    Throttled,
};
pub use browser::{
    BrowserIdentity, BrowserSession, EndedSessions, ListedSession, OnceKey, OnceUse,
    ProviderSession, SessionKind, SessionPage, SessionPlace, SessionSelector,
};
pub use factor_store::FactorError;
pub use factors::{
    FactorPage, FactorRecord, FactorSummary, FactorSwap, StoredPasskey, TotpFactor, UserHandle,
};
pub use family::GRACE;
pub use in_flight::CheckInFlight;
pub use job::{GoodRefreshToken, StoreMemory, TokenExchange};
pub use lockout::{Lockout, LockoutScope, Lockouts, Unknown};
pub use probe::probe;
pub use refresh_token::{ProvidedHolder, RefreshToken, Stamp};
pub use renewal::{
    IdentityProvider, ProviderFuture, RefreshedTokens, RenewalError, RenewalRequest, RenewalView,
    Renewals, RenewedSession,
};
pub use reply::StoreUnavailable;
pub use revocations::{RevocationView, Revocations};
pub use sessions::{ClearLockout, Sessions, Times};
pub use settings::{AtStart, RedisSettings, StateSettings};
pub use store_thread::StateError;
