//! Connections over the limit: each is told so, for as long as there is a descriptor for it.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::task::{JoinHandle, spawn_local, yield_now};

/// How many of a worker wait at a time for their client to read why they are closed; descriptors are spared for them
/// (`capacity`).
const MOST: usize = 64;

/// What lingers of the connections that were turned away, the oldest first.
#[derive(Default)]
pub(super) struct TurnedAway(RefCell<VecDeque<JoinHandle<()>>>);

impl TurnedAway {
    /// Lets a connection linger. In a burst the oldest one ends for it, which has had the most time; waits until that has
    /// given its descriptor back.
    pub(super) async fn add(&self, lingering: impl Future<Output = ()> + 'static) {
        if let Some(oldest) = self.overdue() {
            // it may not have begun to write
            yield_now().await;
            oldest.abort();
            let _ = oldest.await;
        }
        self.0.borrow_mut().push_back(spawn_local(lingering));
    }

    /// The oldest, where there are as many as may be.
    fn overdue(&self) -> Option<JoinHandle<()>> {
        let mut all = self.0.borrow_mut();
        if all.len() < MOST {
            return None;
        }
        all.retain(|task| !task.is_finished());
        (all.len() >= MOST).then(|| all.pop_front()).flatten()
    }
}
