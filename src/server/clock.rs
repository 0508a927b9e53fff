//! The deadlines of one client connection: for a request's head, between requests, and for a client that stops reading.

use std::cell::Cell;
use std::task::{Context, Poll};

use http_body::SizeHint;

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
    /// The last request has a body, and the client has not ended its side.
    sending: Cell<bool>,
    deadline: Deadline,
    timeouts: ServerTimeouts,
}

impl ConnectionClock {
    /// Starts with the time for the first head.
    pub(super) fn start(ticker: &Ticker, timeouts: ServerTimeouts) -> Self {
        let deadline = ticker.deadline();
        deadline.arm(timeouts.header);
        Self {
            phase: Cell::new(Phase::Fresh),
            stalled: Cell::new(false),
            sending: Cell::new(false),
            deadline,
            timeouts,
        }
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

    /// Nothing more will come in.
    pub(super) fn ended(&self) {
        self.sending.set(false);
    }

    /// Whether the client may still be sending a body.
    pub(super) fn sending(&self) -> bool {
        self.sending.get()
    }

    /// A head is complete, and a body of this size follows.
    pub(super) fn asked(&self, body: &SizeHint) {
        self.phase.set(Phase::Busy);
        self.sending.set(body.exact() != Some(0));
        self.deadline.disarm();
    }

    /// The answer is complete, or given up.
    pub(super) fn answered(&self) {
        self.phase.set(Phase::Idle);
        // what is not yet taken is waited for no longer than before
        if !self.stalled.get() {
            self.deadline.arm(self.timeouts.idle);
        }
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

    /// Whether the client does not take what is written to it.
    pub(super) fn stalled(&self) -> bool {
        self.stalled.get()
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
