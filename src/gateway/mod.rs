//! The request flow: from a request to its reply, in eight steps.

mod browser;
mod document;
mod flow;
mod identify;
mod record;
mod rejection;
mod reply;
mod snapshot;
mod verify;
mod worker;

pub use flow::handle;
pub use reply::ReplyBody;
pub use snapshot::{Shared, Snapshot};
pub use worker::{Worker, WorkerParts};
