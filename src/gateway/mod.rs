//! The request flow: from a request to its reply, in eight steps.

mod audited;
mod browser;
mod changes;
mod connection;
mod decide;
mod document;
mod downstream;
mod facts;
mod flow;
mod judge;
mod location;
mod note;
mod process_state;
mod reauthorization;
mod record;
mod rejection;
mod renewal;
mod reply;
mod sender;
mod snapshot;
mod span;
mod switch;
mod traced;
mod trust_generation;
mod tunnel;
mod verify;
mod worker;

pub use changes::audit_changes;
pub use connection::ClientConnection;
pub use flow::handle;
pub use process_state::ProcessState;
pub use reply::{Reply, ReplyBody};
pub use snapshot::{CurrentSnapshot, Snapshot};
pub use trust_generation::TrustGeneration;
pub use tunnel::Tunnel;
pub use worker::{Worker, WorkerParts};
