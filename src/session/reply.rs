//! The answers of a store.

use std::fmt;

use tokio::sync::oneshot;

/// The store cannot be reached, or cannot write. The requested change may or may not have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreUnavailable;

/// Where the result of a job goes. The receiver is gone where the client has disconnected.
pub(super) type JobReply<T> = oneshot::Sender<Result<T, StoreUnavailable>>;

/// Answers. A client that has gone needs no answer.
pub(super) fn answer<T>(reply: JobReply<T>, result: Result<T, StoreUnavailable>) {
    let _ = reply.send(result);
}

impl fmt::Display for StoreUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state store cannot be reached")
    }
}

impl std::error::Error for StoreUnavailable {}
