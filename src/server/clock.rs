//! The deadlines of one client connection: for what it speaks, for a request's head, between requests, and for a client
//! that stops reading.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::SizeHint;

use super::terms::Terms;
use crate::ambient::{Deadline, Ticker};

/// The bytes that an HTTP/2 connection begins with (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection that is about to be closed may rest.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a connection of HTTP/1.1 rests before it is parked: longer than a client that is at work takes between two
/// requests, because it costs as much as a new connection without its system calls.
const PARK_AFTER: Duration = Duration::from_millis(500);

/// What a connection is doing. One deadline serves all phases: only one of them can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connected, and nothing received yet.
    Fresh,
    /// So many bytes of the preface of HTTP/2 are still to come.
    Preface(usize),
    /// Part of a head has been received.
    Head,
    /// At least one request is being answered.
    Busy,
    /// All answers are written, the next request has not begun.
    Idle,
    /// The same, for so long that nothing is kept ready for the next request.
    Parked,
}

/// How requests share the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One after the other; what comes in between two of them is the next head.
    Sequential,
    /// In streams; what comes in without any may be anything.
    Streams,
}

/// Moves a connection's deadline along with what it is doing.
pub(super) struct ConnectionClock {
    phase: Cell<Phase>,
    order: Cell<Order>,
    running: Cell<usize>,
    stalled: Cell<bool>,
    /// The last request has a body, and the client has not ended its side.
    sending: Cell<bool>,
    /// The gateway has begun to end its side.
    closing: Cell<bool>,
    /// Something of an answer was written since the last look.
    moved: Cell<bool>,
    /// What is left of the time for resting when a rest begins.
    idle: Cell<Duration>,
    deadline: Deadline,
    terms: Rc<Terms>,
}

/// A request that is being answered; dropping it says that the answer is complete, or given up.
pub(super) struct Running(Rc<ConnectionClock>);

impl ConnectionClock {
    /// Starts with the time for the first head.
    pub(super) fn start(ticker: &Ticker, terms: Rc<Terms>) -> Self {
        let deadline = ticker.deadline();
        deadline.arm(terms.timeouts.header);
        Self {
            phase: Cell::new(Phase::Fresh),
            order: Cell::new(Order::Sequential),
            running: Cell::new(0),
            stalled: Cell::new(false),
            sending: Cell::new(false),
            closing: Cell::new(false),
            moved: Cell::new(false),
            idle: Cell::new(terms.timeouts.idle.min(PARK_AFTER)),
            deadline,
            terms,
        }
    }

    /// From now on it is HTTP/2, whose preface has the time of a handshake.
    pub(super) fn expect_preface(&self) {
        self.order.set(Order::Streams);
        self.idle.set(self.terms.timeouts.idle);
        self.phase.set(Phase::Preface(PREFACE.len()));
        self.deadline.arm(self.terms.timeouts.handshake);
    }

    /// Whether a head begins with what comes in next. Behind a request with a body it is not known.
    pub(super) fn expects_head(&self) -> bool {
        let rests = matches!(self.phase.get(), Phase::Fresh | Phase::Idle | Phase::Parked);
        rests && self.order.get() == Order::Sequential && !self.sending.get()
    }

    /// So many bytes came in.
    pub(super) fn received(&self, bytes: usize) {
        match self.phase.get() {
            // the time of the first head runs from the accept on
            Phase::Fresh => self.phase.set(Phase::Head),
            Phase::Preface(left) if bytes < left => self.phase.set(Phase::Preface(left - bytes)),
            Phase::Preface(_) => self.rest(),
            Phase::Idle | Phase::Parked if self.order.get() == Order::Sequential => {
                self.phase.set(Phase::Head);
                self.deadline.arm(self.terms.timeouts.header);
            }
            Phase::Head | Phase::Busy | Phase::Idle | Phase::Parked => {}
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
    pub(super) fn begin(self: &Rc<Self>, body: &SizeHint) -> Running {
        self.phase.set(Phase::Busy);
        self.running.set(self.running.get() + 1);
        self.sending.set(body.exact() != Some(0));
        self.moved.set(false);
        // what is not yet taken is waited for no longer than before
        if !self.stalled.get() {
            self.answer();
        }
        Running(Rc::clone(self))
    }

    /// An answer has all the time that its service takes; only a connection of HTTP/1.1 looks whether anything moves.
    fn answer(&self) {
        match self.order.get() {
            Order::Sequential => self.deadline.arm(PARK_AFTER),
            Order::Streams => self.deadline.disarm(),
        }
    }

    /// Whether the time that is over was only that of a look whether anything moves.
    pub(super) fn looks(&self) -> bool {
        self.phase.get() == Phase::Busy && !self.stalled.get()
    }

    /// Whether nothing of the answer was written since the last look. The next one is due after as long again.
    pub(super) fn is_quiet(&self) -> bool {
        self.answer();
        !self.moved.replace(false)
    }

    /// Nothing is looked for.
    pub(super) fn wait(&self) {
        self.deadline.disarm();
    }

    /// The answer goes on.
    pub(super) fn go_on(&self) {
        self.moved.set(true);
        if !self.stalled.get() {
            self.answer();
        }
    }

    fn answered(&self) {
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.rest();
        }
    }

    fn rest(&self) {
        self.phase.set(Phase::Idle);
        if !self.stalled.get() {
            self.deadline.arm(self.idle.get());
        }
    }

    /// From now on the connection rests only for a moment.
    pub(super) fn close_soon(&self) {
        self.idle.set(self.idle.get().min(CLOSING));
        if self.phase.get() == Phase::Idle {
            self.rest();
        }
    }

    /// Whether the connection has only rested for long enough to be parked; then the rest of its time begins.
    pub(super) fn park(&self) -> bool {
        let left = self.terms.timeouts.idle.saturating_sub(PARK_AFTER);
        let rests = self.rests() && self.phase.get() == Phase::Idle && !self.closing.get();
        let parks = rests && self.order.get() == Order::Sequential && !left.is_zero();
        if parks {
            self.phase.set(Phase::Parked);
            self.deadline.arm(left);
        }
        parks
    }

    /// The gateway ends its side: no request will be answered any more.
    pub(super) fn closes(&self) {
        self.closing.set(true);
    }

    /// The client does not take what is written to it.
    pub(super) fn write_stalled(&self) {
        if !self.stalled.replace(true) {
            self.deadline.arm(self.terms.timeouts.body);
        }
    }

    /// Something was written to the client.
    pub(super) fn moves(&self) {
        self.moved.set(true);
    }

    /// The client took some of it.
    pub(super) fn written(&self) {
        if self.stalled.replace(false) {
            match self.phase.get() {
                Phase::Busy => self.answer(),
                Phase::Idle | Phase::Parked => self.deadline.arm(self.idle.get()),
                Phase::Preface(_) => self.deadline.arm(self.terms.timeouts.handshake),
                Phase::Fresh | Phase::Head => self.deadline.arm(self.terms.timeouts.header),
            }
        }
    }

    /// Whether the client has taken everything, and asks for nothing.
    pub(super) fn rests(&self) -> bool {
        matches!(self.phase.get(), Phase::Idle | Phase::Parked) && !self.stalled.get()
    }

    /// What was agreed on when the connection was opened.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms
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

impl Running {
    /// That of its connection.
    pub(super) fn clock(&self) -> &ConnectionClock {
        &self.0
    }

    /// Whether the client does not take what was written to it last.
    pub(super) fn is_stalled(&self) -> bool {
        self.0.stalled.get()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.answered();
    }
}
