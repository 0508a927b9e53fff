//! Bodies on their way through: never collected, only watched.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};

use super::body_gate::BodyGate;
use super::client_body::ClientBody;
use super::error::BodyFault;
use super::flow::Flow;
use crate::ambient::{Deadline, TICK, Ticker};
use crate::wire::{FieldFilter, filter_trailers};

/// How long an upstream may take to ask for a body. Many never do: they wait for it (RFC 9110, section 10.1.1).
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// How long an upstream that has answered may take for the next piece of a body.
const MOMENT: Duration = Duration::from_secs(1);

/// The client's body on its way to the upstream: counted, and not waited for without end.
pub struct RequestBody {
    /// On the heap: most requests have none, and all of them are moved from hand to hand.
    streamed: Option<Box<Streamed>>,
}

struct Streamed {
    left: u64,
    /// Whether the body is held back, and the time of that runs.
    held: bool,
    stall: Deadline,
    stall_after: Duration,
    filter: Arc<FieldFilter>,
    exchange: Rc<BodyExchange>,
}

/// The state that the sender of a request and its body share.
pub(super) struct BodyExchange {
    /// The client's body, until it is sent or given up.
    pub(super) incoming: RefCell<Option<ClientBody>>,
    pub(super) progress: Cell<Progress>,
    /// Whether the answer is complete already.
    pub(super) answered: Cell<bool>,
    pub(super) ticker: Ticker,
    /// Why the body ended before its end.
    pub(super) fault: Cell<Option<BodyFault>>,
    /// Holds the body back until the upstream sends `100 Continue`.
    pub(super) gate: Option<Arc<BodyGate>>,
    /// That of the connection, where hyper would buffer more than the server takes: over HTTP/1.1.
    pub(super) flow: RefCell<Option<Arc<Flow>>>,
    /// Armed while the upstream has to do something: take a piece of the body, or answer.
    pub(super) response: Deadline,
    /// How long each may take.
    pub(super) response_after: Duration,
}

/// How far a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The upstream has to take a piece.
    Waiting,
    /// The client has to send one.
    Silent,
    /// Nobody sends it any more.
    Over,
}

/// The limits of a request body.
pub(super) struct BodyWatch {
    /// Bytes that may pass.
    pub(super) limit: u64,
    /// Passes between two pieces that are too far apart.
    pub(super) stall: Deadline,
    /// How far apart they may be.
    pub(super) stall_after: Duration,
    /// Which trailers pass.
    pub(super) filter: Arc<FieldFilter>,
    /// Shared with the sender.
    pub(super) exchange: Rc<BodyExchange>,
}

impl RequestBody {
    /// No body: nothing to watch.
    pub(super) fn empty() -> Self {
        Self { streamed: None }
    }

    pub(super) fn streamed(watch: BodyWatch) -> Self {
        let BodyWatch {
            limit,
            stall,
            stall_after,
            filter,
            exchange,
        } = watch;
        let streamed = Streamed {
            left: limit,
            held: false,
            stall,
            stall_after,
            filter,
            exchange,
        };
        Self {
            streamed: Some(Box::new(streamed)),
        }
    }

    /// Lets a body that is held back pass.
    pub(super) fn open_gate(&self) {
        if let Some(gate) = self.exchange().and_then(|exchange| exchange.gate.as_ref()) {
            gate.open();
        }
    }

    /// What the body reports to the sender of the request; `None` where there is no body.
    pub(super) fn exchange(&self) -> Option<&Rc<BodyExchange>> {
        self.streamed.as_ref().map(|streamed| &streamed.exchange)
    }
}

impl BodyExchange {
    /// The upstream's time for a piece, or for its answer, begins.
    fn arm(&self) {
        let after = if self.answered.get() {
            MOMENT
        } else {
            self.response_after
        };
        self.response.arm(after);
    }

    fn of_body<T>(&self, ask: impl FnOnce(&ClientBody) -> T, none: T) -> T {
        self.incoming.borrow().as_ref().map_or(none, ask)
    }

    /// Whether the server has not taken yet what was handed over. hyper asks again as soon as it has.
    fn is_blocked(&self) -> bool {
        let flow = self.flow.borrow();
        flow.as_ref().is_some_and(|flow| flow.is_blocked())
    }

    /// Whether a body is still to be sent.
    pub(super) fn is_unfinished(&self) -> bool {
        self.progress.get() != Progress::Over
    }

    /// Waits, once the answer is complete, until the upstream has all of the body, which it may read for as long as it does;
    /// whether it has. A body that it does not read is given up, so that its client need not write it (RFC 9112, section
    /// 9.5, and RFC 9113, section 8.1).
    pub(super) async fn finish(&self) -> bool {
        self.answered.set(true);
        if self.body_withheld() {
            // a final answer in place of `100 Continue`: the client is not asked for the body any more
            drop(self.incoming.take());
            return false;
        }
        if self.progress.get() == Progress::Waiting {
            self.arm();
        }
        let tick = self.ticker.deadline();
        loop {
            let stuck = poll_fn(|cx| Poll::Ready(self.response.poll_passed(cx).is_ready())).await;
            match self.progress.get() {
                Progress::Over => return true,
                Progress::Waiting if stuck => break,
                Progress::Waiting | Progress::Silent => {}
            }
            tick.arm(TICK);
            tick.passed().await;
        }
        drop(self.incoming.take());
        false
    }

    /// Whether the upstream answered without ever asking for the body that it was announced.
    pub(super) fn body_withheld(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.is_shut())
    }
}

impl Streamed {
    /// Ready once the body may be asked of the client: the upstream wants it, or has had long enough to say so.
    fn poll_gate(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(gate) = &self.exchange.gate else {
            return Poll::Ready(());
        };
        if gate.poll_open(cx).is_pending() {
            if !self.held {
                self.held = true;
                self.stall.arm(CONTINUE_AFTER);
            }
            ready!(self.stall.poll_passed(cx));
            gate.open();
        }
        if std::mem::take(&mut self.held) {
            self.stall.disarm();
        }
        Poll::Ready(())
    }

    fn fail(&self, fault: BodyFault) -> BodyFault {
        self.exchange.fault.set(Some(fault));
        fault
    }

    /// The next piece is the client's to send. Without the clock's change of sides, an upstream that does not read would
    /// be waited for without end, and a client that sends would be blamed for it.
    fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.exchange.progress.replace(Progress::Silent) != Progress::Silent {
            self.exchange.response.disarm();
            self.stall.arm(self.stall_after);
        }
        if self.stall.poll_passed(cx).is_ready() {
            return Poll::Ready(Some(Err(self.fail(BodyFault::TimedOut))));
        }
        Poll::Pending
    }

    /// The client may have been waited for when the upstream stopped taking what came before: its time runs, not the client's.
    fn blame_upstream(&self) {
        if self.exchange.progress.get() == Progress::Silent {
            self.exchange.progress.set(Progress::Waiting);
            self.stall.disarm();
            self.exchange.arm();
        }
    }

    /// Lets a piece pass. Of trailers, those that a field of the same name may not be do not.
    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyFault> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| self.fail(BodyFault::TooLarge))?;
        self.exchange.progress.set(Progress::Waiting);
        self.stall.disarm();
        self.exchange.arm();
        Ok(with_trailers(frame, |name| {
            self.filter.passes_trailer(name)
        }))
    }
}

/// Filters the fields of a frame of trailers.
pub(super) fn with_trailers(
    frame: Frame<Bytes>,
    passes: impl Fn(&HeaderName) -> bool,
) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(filter_trailers(trailers, passes)),
        Err(data) => data,
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let Some(streamed) = &mut self.streamed else {
            return Poll::Ready(None);
        };
        ready!(streamed.poll_gate(cx));
        if streamed.exchange.is_blocked() {
            streamed.blame_upstream();
            return Poll::Pending;
        }
        let polled = match &mut *streamed.exchange.incoming.borrow_mut() {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => return Poll::Ready(Some(Err(BodyFault::Broken))),
        };
        match polled {
            Poll::Pending => streamed.wait(cx),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(streamed.pass(frame))),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(streamed.fail(BodyFault::Broken)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.streamed
            .as_ref()
            .is_none_or(|streamed| streamed.exchange.of_body(Body::is_end_stream, true))
    }

    fn size_hint(&self) -> SizeHint {
        self.streamed.as_ref().map_or_else(
            || SizeHint::with_exact(0),
            |streamed| {
                streamed
                    .exchange
                    .of_body(Body::size_hint, SizeHint::default())
            },
        )
    }
}

impl Drop for Streamed {
    /// hyper drops a body as soon as it is sent: from here on the upstream has to answer.
    fn drop(&mut self) {
        drop(self.exchange.incoming.take());
        self.exchange.progress.set(Progress::Over);
        self.exchange.arm();
    }
}
