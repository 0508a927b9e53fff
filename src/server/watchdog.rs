//! Signs of life for a service manager's watchdog: the main thread asks every worker, and passes on that all have answered.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::manager;

/// Questions for each sign that the manager waits for: one that is answered late is made good by the next.
const ROUNDS: u32 = 4;

/// What a worker has answered once it has ended: it is not waited for any more.
const ENDED: u64 = u64::MAX;

/// Asks whether workers are alive, if a manager wants to know.
pub(super) struct Watchdog {
    interval: Duration,
    asked: watch::Sender<u64>,
    answers: RefCell<Vec<Arc<AtomicU64>>>,
}

/// A worker's end of it.
pub(super) struct WatchdogReply {
    asked: watch::Receiver<u64>,
    answer: Arc<AtomicU64>,
}

impl Watchdog {
    /// `None` where no manager waits for signs of life.
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

    /// The end for one more worker.
    pub(super) fn join(&self) -> WatchdogReply {
        let answer = Arc::default();
        self.answers.borrow_mut().push(Arc::clone(&answer));
        WatchdogReply {
            asked: self.asked.subscribe(),
            answer,
        }
    }

    /// Asks again and again, and tells the manager of each round in which everybody has answered.
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
    /// Answers as long as the worker's thread comes round to it.
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
    use super::*;

    #[tokio::test]
    async fn everybody_must_answer_the_last_question() {
        let watchdog = Watchdog::every(Duration::from_secs(1));
        let (one, other) = (watchdog.join(), watchdog.join());
        watchdog.asked.send_replace(1);
        assert!(!watchdog.is_answered(1));
        let one = tokio::spawn(one.run());
        while watchdog.answers.borrow()[0].load(Ordering::Relaxed) < 1 {
            tokio::task::yield_now().await;
        }
        assert!(!watchdog.is_answered(1), "the other one has not answered");
        drop(other);
        assert!(watchdog.is_answered(1), "who has ended is not waited for");
        watchdog.asked.send_replace(2);
        assert!(
            !watchdog.is_answered(2),
            "the answer of before does not count"
        );
        drop(watchdog);
        one.await.unwrap();
    }
}
