//! A health check that runs.

use tokio::task::AbortHandle;

/// A running check, ended when it is dropped.
pub(super) struct Running(pub(super) AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
