//! The published keys of other issuers: fetched in the background, kept through an outage, and never waited for.

mod fetch;
mod lifetime;
mod sources;

pub use sources::KeySources;
