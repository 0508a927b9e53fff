//! The sessions that can be listed and ended by an operator or a provider, what a provider's session is renewed with, and what
//! is good once.

mod job;
mod once;
mod place;
mod record;
mod select;
mod shelf;
mod used;

pub(super) use job::{
    BeginBrowser, BrowserJob, EndSelected, ListSessions, Renewal, UpdateBrowser, UsedBrowser,
};
pub(super) use once::digest;
pub use once::{OnceKey, OnceUse};
pub use place::SessionPlace;
pub use record::{BrowserIdentity, BrowserSession, ProviderSession};
pub use select::{EndedSessions, ListedSession, SessionKind, SessionPage, SessionSelector};
pub(super) use select::{IndexKey, Selection};
pub(super) use shelf::BrowserShelf;
pub(super) use used::UsedKeys;
