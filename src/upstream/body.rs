//! Bodies on their way through: never collected, only watched.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::body_gate::BodyGate;
use super::error::BodyFault;
use crate::ambient::Deadline;
use crate::wire::{FieldFilter, filter_trailers};

/// How long an upstream may take to ask for a body. Many never do: they wait for it (RFC 9110, section 10.1.1).
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// The client's body on its way to the upstream: counted, and not waited for without end.
pub struct RequestBody {
    /// On the heap: most requests have none, and all of them are moved from hand to hand.
    streamed: Option<Box<Streamed>>,
}

struct Streamed {
    incoming: Incoming,
    left: u64,
    /// Whether it is the client that is waited for, and not the upstream.
    waiting: bool,
    /// Whether the body is held back, and the time of that runs.
    held: bool,
    stall: Deadline,
    stall_after: Duration,
    filter: Arc<FieldFilter>,
    exchange: Rc<BodyExchange>,
}

/// The state that the sender of a request and its body share.
pub(super) struct BodyExchange {
    /// Why the body ended before its end.
    pub(super) fault: Cell<Option<BodyFault>>,
    /// Holds the body back until the upstream sends `100 Continue`.
    pub(super) gate: Option<Arc<BodyGate>>,
    /// Armed while the upstream has to do something: take a piece of the body, or answer.
    pub(super) response: Deadline,
    /// How long each may take.
    pub(super) response_after: Duration,
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

    pub(super) fn streamed(incoming: Incoming, watch: BodyWatch) -> Self {
        let BodyWatch {
            limit,
            stall,
            stall_after,
            filter,
            exchange,
        } = watch;
        let (left, waiting, held) = (limit, false, false);
        let streamed = Streamed {
            incoming,
            left,
            waiting,
            held,
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
        if !self.waiting {
            self.waiting = true;
            self.exchange.response.disarm();
            self.stall.arm(self.stall_after);
        }
        if self.stall.poll_passed(cx).is_ready() {
            return Poll::Ready(Some(Err(self.fail(BodyFault::TimedOut))));
        }
        Poll::Pending
    }

    /// Lets a piece pass. Of trailers, those that a field of the same name may not be do not.
    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyFault> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| self.fail(BodyFault::TooLarge))?;
        self.waiting = false;
        self.stall.disarm();
        self.exchange.response.arm(self.exchange.response_after);
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
        match Pin::new(&mut streamed.incoming).poll_frame(cx) {
            Poll::Pending => streamed.wait(cx),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(streamed.pass(frame))),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(streamed.fail(BodyFault::Broken)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.streamed
            .as_ref()
            .is_none_or(|streamed| streamed.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.streamed.as_ref().map_or_else(
            || SizeHint::with_exact(0),
            |streamed| streamed.incoming.size_hint(),
        )
    }
}

impl Drop for Streamed {
    /// hyper drops a body as soon as it is sent: from here on the upstream has to answer.
    fn drop(&mut self) {
        self.exchange.response.arm(self.exchange.response_after);
    }
}
