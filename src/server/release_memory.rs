//! Gives memory back to the system when many connections have ended, or were parked.
//!
//! The allocator does so by itself after every ten thousand of its slower calls, which a gateway at rest does not make,
//! and when a thread ends. So a thread is started, in order to end.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// As many connections as are worth it: each had some 20 KB.
const WORTH_IT: usize = 64;

/// The allocator keeps what has been free for less than a second.
const AFTER: Duration = Duration::from_secs(2);

/// Counts what the connections of one worker have given back to the allocator.
#[derive(Default)]
pub(super) struct MemoryReleaser {
    released: Cell<usize>,
    worth_it: Notify,
}

impl MemoryReleaser {
    /// A connection needs its buffers no longer.
    pub(super) fn released_one(&self) {
        self.released.set(self.released.get() + 1);
        if self.released.get() == WORTH_IT {
            self.worth_it.notify_one();
        }
    }

    /// Gives back what there is to give back, for ever. Without connections it sleeps without any timer.
    pub(super) async fn run(&self) {
        loop {
            self.worth_it.notified().await;
            sleep(AFTER).await;
            self.released.set(0);
            release_memory();
        }
    }
}

/// Another thread's end makes the allocator look at the memory of all threads.
fn release_memory() {
    // where the system has no thread to give, it is done another time
    let _ = thread::Builder::new().name("trim".to_owned()).spawn(|| {});
}
