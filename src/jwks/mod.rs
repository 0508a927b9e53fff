//! The published keys of other issuers: found and fetched in the background, kept through an outage, and never waited for.

mod discovery;
mod fetch;
mod lifetime;
mod location;
mod probe;
mod sources;

pub use discovery::{IssuerMetadata, MetadataError, discover};
pub use fetch::{FetchError, FetchOptions};
pub use location::{KeyDocument, KeyLocation};
pub use probe::probe;
pub use sources::{KeySources, retry_after};
