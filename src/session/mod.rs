//! What outlives a request: refresh tokens, sessions that were ended, and failed logins.
//!
//! All of it is kept by a store: the memory of this process, a file, or a Redis that all replicas share. The store has
//! a thread of its own, and only logins, refreshes and logouts wait for it. A proxied request asks nothing but
//! [`RevocationView::is_revoked`], which is answered from memory.
//!
//! `family` and `throttle` decide, without a clock and without chance; `local` keeps what they decide in this process,
//! `file` writes it down, and `remote` keeps it in Redis.

mod attempt;
mod family;
mod file;
mod health;
mod holds;
mod job;
mod known;
mod ledger;
mod local;
mod lockout;
mod passed_time;
mod probe;
mod refresh_token;
mod remote;
mod revocations;
mod sessions;
mod settings;
mod throttle;
mod vault;

pub use attempt::{
    Account, Admission, AttemptLimits, Begun, DeviceId, LoginAttempt, Network, PasswordResult,
    Throttled,
};
pub use family::GRACE;
pub use job::{StoreMemory, StoreUnavailable, TokenExchange};
pub use lockout::{Lockout, LockoutScope, Lockouts, Unknown};
pub use probe::probe;
pub use refresh_token::{ProvidedHolder, RefreshToken, Stamp};
pub use revocations::{RevocationView, Revocations};
pub use sessions::{ClearLockout, Sessions, StateError, Times};
pub use settings::{AtStart, RedisSettings, StateSettings};
