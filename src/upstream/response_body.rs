//! The body of a response.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::body::{BodyExchange, with_trailers};
use super::error::{AnswerFault, ForwardError};
use super::lease::ConnectionLease;
use crate::wire::trailer_is_harmless;

/// The upstream's body on its way to the client. Read to its end, it gives the connection back; dropped before, it
/// closes the connection or, of HTTP/2, resets the stream.
pub struct ResponseBody {
    incoming: Incoming,
    /// What [`ResponseBody::begin`] has read.
    first: Option<Box<Frame<Bytes>>>,
    lease: Option<ConnectionLease>,
    /// The request's body, which may still be on its way.
    request: Option<Rc<BodyExchange>>,
    /// Whether it is the upstream that is waited for, and not the client.
    waiting: bool,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        lease: ConnectionLease,
        request: Option<Rc<BodyExchange>>,
    ) -> Self {
        let mut body = Self {
            incoming,
            first: None,
            lease: Some(lease),
            request: request.filter(|request| request.is_unfinished()),
            waiting: false,
        };
        if body.incoming.is_end_stream() {
            body.release();
        }
        body
    }

    /// Reads the first piece ahead.
    ///
    /// # Errors
    /// [`ForwardError::Protocol`] where the body breaks before it, and [`ForwardError::ResponseTimeout`].
    pub(super) async fn begin(&mut self) -> Result<(), ForwardError> {
        let first = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
        self.first = first
            .transpose()
            .map_err(ForwardError::of_body)?
            .map(Box::new);
        Ok(())
    }

    fn release(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        match self.request.take().filter(|body| body.is_unfinished()) {
            None => lease.release(),
            Some(body) => {
                tokio::task::spawn_local(async move {
                    if body.finish().await {
                        lease.release();
                    }
                });
            }
        }
    }

    /// The next piece is the upstream's to send. A client that reads slowly is no silence of the upstream.
    fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let Some(lease) = &self.lease else {
            return Poll::Pending;
        };
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

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(*first)));
        }
        let Poll::Ready(piece) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            return self.wait(cx);
        };
        self.hear();
        if piece.is_none() || self.incoming.is_end_stream() {
            self.release();
        }
        let frame = piece.map(|piece| piece.map_err(AnswerFault::Broken));
        Poll::Ready(frame.map(|frame| frame.map(|frame| with_trailers(frame, trailer_is_harmless))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
