//! Connections that are turned away or given up are counted, and said as often as anyone can read.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::ambient;
use crate::gateway::Worker;
use crate::telemetry::metrics::ConnectionRejection;

/// Events a second and worker.
const MOST_EVENTS: u32 = 10;

/// How long events are counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// Tells of the rejected connections of one worker.
pub(super) struct Rejections {
    worker: Rc<Worker>,
    throttle: Rc<Throttle>,
}

impl Rejections {
    pub(super) fn new(worker: Rc<Worker>) -> Self {
        Self {
            worker,
            throttle: Rc::default(),
        }
    }

    /// Counts one, and writes an event unless there were many just now.
    pub(super) fn note(&self, reason: ConnectionRejection, client: IpAddr) {
        self.note_with(reason, client, None);
    }

    /// The same with more to say.
    pub(super) fn note_with(
        &self,
        reason: ConnectionRejection,
        client: IpAddr,
        detail: Option<&dyn fmt::Display>,
    ) {
        self.worker.shard().connection_rejected(reason);
        match self.throttle.ask(ambient::now()) {
            Verdict::Say => {
                let (reason, detail) = (reason.label(), detail.map(tracing::field::display));
                tracing::info!(event = "connection_rejected", reason, client_ip = %client, detail);
            }
            Verdict::SuppressFirst => {
                let throttle = Rc::clone(&self.throttle);
                spawn_local(async move {
                    sleep(WINDOW).await;
                    let suppressed = throttle.take_suppressed();
                    tracing::info!(
                        event = "connection_rejected",
                        reason = "several",
                        suppressed
                    );
                });
            }
            Verdict::Suppress => {}
        }
    }
}

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Say,
    /// The first one that is not said: somebody must say how many there were.
    SuppressFirst,
    Suppress,
}

#[derive(Default)]
struct Throttle {
    window: RefCell<Option<Instant>>,
    said: Cell<u32>,
    suppressed: Cell<u64>,
}

impl Throttle {
    fn ask(&self, now: Instant) -> Verdict {
        let mut window = self.window.borrow_mut();
        if window.is_none_or(|begin| now.duration_since(begin) >= WINDOW) {
            *window = Some(now);
            self.said.set(0);
        }
        if self.said.get() < MOST_EVENTS {
            self.said.set(self.said.get() + 1);
            return Verdict::Say;
        }
        match self.suppressed.replace(self.suppressed.get() + 1) {
            0 => Verdict::SuppressFirst,
            _ => Verdict::Suppress,
        }
    }

    fn take_suppressed(&self) -> u64 {
        self.suppressed.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_are_said_and_the_rest_is_counted() {
        let throttle = Throttle::default();
        let start = ambient::now();
        for _ in 0..MOST_EVENTS {
            assert_eq!(throttle.ask(start), Verdict::Say);
        }
        assert_eq!(throttle.ask(start), Verdict::SuppressFirst);
        assert_eq!(throttle.ask(start + WINDOW / 2), Verdict::Suppress);
        assert_eq!(throttle.ask(start + WINDOW), Verdict::Say);
        assert_eq!(throttle.take_suppressed(), 2);
        for _ in 1..MOST_EVENTS {
            throttle.ask(start + WINDOW);
        }
        assert_eq!(throttle.ask(start + WINDOW), Verdict::SuppressFirst);
    }
}
