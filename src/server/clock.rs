//! The deadlines of one client connection: for a request's head, between requests, and for a client that stops reading.

use std::cell::Cell;
use std::task::{Context, Poll};

use crate::ambient::{Deadline, Ticker};
use crate::config::ServerTimeouts;

/// What a connection is doing. One deadline serves all phases: only one of them can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, and nothing received yet.
    Fresh,
    /// Part of a head has been received.
    Head,
    /// A request is being answered.
    Busy,
    /// The answer is written, the next request has not begun.
    Idle,
}

/// Moves a connection's deadline along with what it is doing.
pub(super) struct ConnectionClock {
    phase: Cell<Phase>,
    stalled: Cell<bool>,
    deadline: Deadline,
    timeouts: ServerTimeouts,
}

impl ConnectionClock {
    /// Starts with the time for the first head.
    pub(super) fn start(ticker: &Ticker, timeouts: ServerTimeouts) -> Self {
        let deadline = ticker.deadline();
        deadline.arm(timeouts.header);
        Self { phase: Cell::new(Phase::Fresh), stalled: Cell::new(false), deadline, timeouts }
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        match self.phase.get() {
            // the time of the first head runs from the accept on
            Phase::Fresh => self.phase.set(Phase::Head),
            Phase::Idle => {
                self.phase.set(Phase::Head);
                self.deadline.arm(self.timeouts.header);
            }
            Phase::Head | Phase::Busy => {}
        }
    }

    /// A head is complete.
    pub(super) fn asked(&self) {
        self.phase.set(Phase::Busy);
        self.deadline.disarm();
    }

    /// The answer is complete, or given up.
    pub(super) fn answered(&self) {
        self.phase.set(Phase::Idle);
        self.deadline.arm(self.timeouts.idle);
    }

    /// The client does not take what is written to it.
    pub(super) fn write_stalled(&self) {
        if !self.stalled.replace(true) {
            self.deadline.arm(self.timeouts.body);
        }
    }

    /// The client took some of it.
    pub(super) fn written(&self) {
        if self.stalled.replace(false) {
            match self.phase.get() {
                Phase::Busy => self.deadline.disarm(),
                Phase::Idle => self.deadline.arm(self.timeouts.idle),
                Phase::Fresh | Phase::Head => self.deadline.arm(self.timeouts.header),
            }
        }
    }

    /// What the connection was doing when its time was over.
    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Ready when the connection's time is over.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        self.deadline.poll_passed(cx)
    }
}
