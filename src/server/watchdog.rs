//! The service manager's watchdog: the main thread pings every worker and notifies the manager when all have replied.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::manager;

/// Pings per watchdog interval: the next ping makes up for a late reply.
const ROUNDS: u32 = 4;

/// The reply of a worker that has ended: it is not waited for any more.
const ENDED: u64 = u64::MAX;

/// Pings the workers where the service manager has a watchdog.
pub(super) struct Watchdog {
    interval: Duration,
    asked: watch::Sender<u64>,
    answers: RefCell<Vec<Arc<AtomicU64>>>,
}

/// The worker's side of the watchdog.
pub(super) struct WatchdogReply {
    asked: watch::Receiver<u64>,
    answer: Arc<AtomicU64>,
}

impl Watchdog {
    /// `None` where the service manager has no watchdog.
    pub(super) fn wanted() -> Option<Self> {
        manager::watchdog().map(|patience| Self::every(patience / ROUNDS))
    }

    fn every(interval: Duration) -> Self {
        Self {
            interval,
            asked: watch::Sender::new(0),
            answers: RefCell::default(),
        }
    }

    /// Registers a worker.
    pub(super) fn join(&self) -> WatchdogReply {
        let answer = Arc::default();
        self.answers.borrow_mut().push(Arc::clone(&answer));
        WatchdogReply {
            asked: self.asked.subscribe(),
            answer,
        }
    }

    /// Pings periodically, and notifies the manager of each round to which all workers have replied.
    pub(super) async fn run(self) {
        for round in 1..ENDED {
            self.asked.send_replace(round);
            sleep(self.interval).await;
            if self.is_answered(round) {
                manager::alive();
            } else {
                tracing::warn!(
                    "a worker has not answered in time; the service manager is not told that all is well"
                );
            }
        }
    }

    fn is_answered(&self, round: u64) -> bool {
        self.answers
            .borrow()
            .iter()
            .all(|answer| answer.load(Ordering::Relaxed) >= round)
    }
}

impl WatchdogReply {
    /// Replies for as long as the worker's runtime makes progress.
    pub(super) async fn run(mut self) {
        while self.asked.changed().await.is_ok() {
            let round = *self.asked.borrow_and_update();
            self.answer.store(round, Ordering::Relaxed);
        }
    }
}

impl Drop for WatchdogReply {
    fn drop(&mut self) {
        self.answer.store(ENDED, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn everybody_must_answer_the_last_question() {
        let watchdog = Watchdog::every(Duration::from_secs(1));
        let (one, other) = (watchdog.join(), watchdog.join());
        watchdog.asked.send_replace(1);
        assert!(!watchdog.is_answered(1));
        let mut one = std::pin::pin!(one.run());
        std::future::poll_fn(|cx| Poll::Ready(one.as_mut().poll(cx).is_pending())).await;
        assert!(!watchdog.is_answered(1), "the other one has not answered");
        drop(other);
        assert!(watchdog.is_answered(1), "who has ended is not waited for");
        watchdog.asked.send_replace(2);
        assert!(
            !watchdog.is_answered(2),
            "the answer of before does not count"
        );
        drop(watchdog);
        one.await;
    }
}
