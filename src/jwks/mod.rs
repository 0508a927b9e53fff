//! The published keys of other issuers: fetched in the background, kept through an outage, and never waited for.

mod fetch;
mod lifetime;
mod sources;
mod url;

pub use sources::KeySources;
pub use url::{KeyUrl, KeyUrlError};
