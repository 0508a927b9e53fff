//! Bodies on their way through: never collected, only watched.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::error::{AnswerFault, BodyFault};
use super::server::Lease;
use crate::ambient::Deadline;

/// The client's body on its way to the upstream: counted, and not waited for without end.
pub struct RequestBody {
    streamed: Option<Streamed>,
}

struct Streamed {
    incoming: Incoming,
    left: u64,
    /// Whether it is the client that is waited for, and not the upstream.
    waiting: bool,
    stall: Deadline,
    stall_after: Duration,
    exchange: Rc<Exchange>,
}

/// What the sender of a request and its body tell each other.
pub(super) struct Exchange {
    /// Why the body ended before its end.
    pub(super) fault: Cell<Option<BodyFault>>,
    /// Armed while the upstream has to do something: take a piece of the body, or answer.
    pub(super) response: Deadline,
    /// How long each may take.
    pub(super) response_after: Duration,
}

/// How a body is watched.
pub(super) struct Watch {
    /// Bytes that may pass.
    pub(super) limit: u64,
    /// Passes between two pieces that are too far apart.
    pub(super) stall: Deadline,
    /// How far apart they may be.
    pub(super) stall_after: Duration,
    /// Shared with the sender.
    pub(super) exchange: Rc<Exchange>,
}

impl RequestBody {
    /// No body: nothing to watch.
    pub(super) fn empty() -> Self {
        Self { streamed: None }
    }

    pub(super) fn streamed(incoming: Incoming, watch: Watch) -> Self {
        let Watch { limit, stall, stall_after, exchange } = watch;
        Self { streamed: Some(Streamed { incoming, left: limit, waiting: false, stall, stall_after, exchange }) }
    }

    /// What the body reports to the sender of the request; `None` where there is no body.
    pub(super) fn exchange(&self) -> Option<&Rc<Exchange>> {
        self.streamed.as_ref().map(|streamed| &streamed.exchange)
    }
}

impl Streamed {
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

    /// Lets a piece pass. Trailers do not: hyper writes only announced ones, and the announcement is hop-by-hop.
    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyFault> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(length).ok_or_else(|| self.fail(BodyFault::TooLarge))?;
        self.waiting = false;
        self.stall.disarm();
        self.exchange.response.arm(self.exchange.response_after);
        Ok(frame)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let Some(streamed) = &mut self.streamed else { return Poll::Ready(None) };
        match Pin::new(&mut streamed.incoming).poll_frame(cx) {
            Poll::Pending => streamed.wait(cx),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(streamed.pass(frame))),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(streamed.fail(BodyFault::Broken)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.streamed.as_ref().is_none_or(|streamed| streamed.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.streamed.as_ref().map_or_else(|| SizeHint::with_exact(0), |streamed| streamed.incoming.size_hint())
    }
}

impl Drop for Streamed {
    /// hyper drops a body as soon as it is sent: from here on the upstream has to answer.
    fn drop(&mut self) {
        self.exchange.response.arm(self.exchange.response_after);
    }
}

/// The upstream's body on its way to the client. Read to its end, it gives the connection back; dropped before, it
/// closes the connection or, of HTTP/2, resets the stream.
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
    /// Whether it is the upstream that is waited for, and not the client.
    waiting: bool,
}

impl ResponseBody {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { incoming, lease: Some(lease), waiting: false };
        if body.incoming.is_end_stream() {
            body.release();
        }
        body
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }

    /// The next piece is the upstream's to send. A client that reads slowly is no silence of the upstream.
    fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let Some(lease) = &self.lease else { return Poll::Pending };
        let (silence, limit) = lease.silence();
        if !self.waiting {
            self.waiting = true;
            silence.arm(limit);
        }
        if silence.poll_passed(cx).is_ready() {
            self.lease = None;
            return Poll::Ready(Some(Err(AnswerFault::TimedOut)));
        }
        Poll::Pending
    }

    fn hear(&mut self) {
        if std::mem::take(&mut self.waiting)
            && let Some(lease) = &self.lease
        {
            lease.silence().0.disarm();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = AnswerFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let Poll::Ready(piece) = Pin::new(&mut self.incoming).poll_frame(cx) else { return self.wait(cx) };
        self.hear();
        if piece.is_none() || self.incoming.is_end_stream() {
            self.release();
        }
        Poll::Ready(piece.map(|piece| piece.map_err(AnswerFault::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
