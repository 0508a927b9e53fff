//! Returns memory to the system when many connections have ended or were parked.
//!
//! The allocator does so after every ten thousand of its slower calls, which an idle gateway does not make, and when a
//! thread ends. So this starts a thread that ends at once.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// The number of connections that makes a release worthwhile: each had some 20 KB.
const WORTH_IT: usize = 64;

/// The allocator keeps what has been free for less than a second.
const AFTER: Duration = Duration::from_secs(2);

/// Counts the connections of one worker that have freed their buffers.
#[derive(Default)]
pub(super) struct MemoryReleaser {
    released: Cell<usize>,
    worth_it: Notify,
}

impl MemoryReleaser {
    /// Records that a connection has freed its buffers.
    pub(super) fn released_one(&self) {
        self.released.set(self.released.get() + 1);
        if self.released.get() == WORTH_IT {
            self.worth_it.notify_one();
        }
    }

    /// Releases memory whenever enough connections have freed theirs; never ends. Without connections it has no timer.
    pub(super) async fn run(&self) {
        loop {
            self.worth_it.notified().await;
            sleep(AFTER).await;
            self.released.set(0);
            release_memory();
        }
    }
}

/// The end of a thread makes the allocator purge the memory of all threads.
fn release_memory() {
    // where the system refuses a thread, the next release does it
    let _ = thread::Builder::new().name("trim".to_owned()).spawn(|| {});
}
