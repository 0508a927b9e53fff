//! The body of a response.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::body::{BodyExchange, with_trailers};
use super::error::{AnswerFault, ForwardError};
use super::http1::{PAUSE_AFTER, RestingBody};
use super::lease::ConnectionLease;
use crate::ambient::Deadline;
use crate::wire::trailer_is_harmless;

/// The upstream's body on its way to the client. Read to its end, it gives the connection back; dropped before, it
/// closes the connection or, of HTTP/2, resets the stream.
pub struct ResponseBody {
    source: Source,
    /// What [`ResponseBody::begin`] has read.
    first: Option<Box<Frame<Bytes>>>,
    lease: Option<ConnectionLease>,
    /// The request's body, which may still be on its way.
    request: Option<Rc<BodyExchange>>,
    /// Whether it is the upstream that is waited for, and not the client.
    waiting: bool,
    /// Whether its connection may rest between two pieces.
    may_rest: bool,
}

/// Where the next piece comes from.
enum Source {
    Hyper(Incoming),
    /// hyper, when something has come.
    Resting(RestingBody),
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        lease: ConnectionLease,
        request: Option<Rc<BodyExchange>>,
        may_rest: bool,
    ) -> Self {
        let mut body = Self {
            source: Source::Hyper(incoming),
            first: None,
            lease: Some(lease),
            request: request.filter(|request| request.is_unfinished()),
            waiting: false,
            may_rest,
        };
        if body.source.is_end_stream() {
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

    fn poll_source(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Source::Resting(resting) = &mut self.source {
            let Some(lease) = &mut self.lease else {
                return Poll::Pending;
            };
            let (driven, incoming) = ready!(resting.as_mut().poll(cx))?;
            lease.resumed(driven);
            self.source = Source::Hyper(incoming);
        }
        match &mut self.source {
            Source::Hyper(incoming) => Pin::new(incoming).poll_frame(cx),
            Source::Resting(_) => Poll::Pending,
        }
    }

    /// The next piece is the upstream's to send. A client that reads slowly is no silence of the upstream.
    fn poll_silence(&mut self, cx: &Context<'_>) -> Poll<AnswerFault> {
        let Some(lease) = &self.lease else {
            return Poll::Pending;
        };
        let (silence, limit) = lease.silence();
        if !self.waiting {
            self.waiting = true;
            silence.arm(limit);
            self.arm_look();
        }
        ready!(silence.poll_passed(cx));
        self.lease = None;
        Poll::Ready(AnswerFault::TimedOut)
    }

    /// Ready when the connection has begun to rest.
    fn poll_rest(&mut self, cx: &Context<'_>) -> Poll<()> {
        while let (Source::Hyper(_), Some(look)) = (&self.source, self.look()) {
            ready!(look.poll_passed(cx));
            let request = self.request.as_deref();
            let is_sent = request.is_none_or(|request| !request.is_unfinished());
            let lease = self.lease.as_mut().filter(|_| is_sent);
            if let Some(resting) = lease.and_then(ConnectionLease::rest) {
                self.source = Source::Resting(resting);
                return Poll::Ready(());
            }
            self.arm_look();
        }
        Poll::Pending
    }

    /// Passes when it is to be looked whether the connection may rest.
    fn look(&self) -> Option<&Deadline> {
        let lease = self.lease.as_ref().filter(|_| self.may_rest)?;
        lease.look()
    }

    fn arm_look(&self) {
        if let Some(look) = self.look() {
            look.arm(PAUSE_AFTER);
        }
    }

    fn hear(&mut self) {
        if std::mem::take(&mut self.waiting)
            && let Some(lease) = &self.lease
        {
            lease.silence().0.disarm();
            if let Some(look) = self.look() {
                look.disarm();
            }
        }
    }
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Hyper(incoming) => incoming.is_end_stream(),
            Self::Resting(_) => false,
        }
    }
}

/// Whether no other piece follows. Trailers end a body, and hyper, which has written them, does not ask for more.
fn is_last(piece: Option<&Result<Frame<Bytes>, hyper::Error>>) -> bool {
    match piece {
        None => true,
        Some(Ok(frame)) => frame.is_trailers(),
        Some(Err(_)) => false,
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
        let piece = loop {
            if let Poll::Ready(piece) = self.poll_source(cx) {
                break piece;
            }
            if let Poll::Ready(fault) = self.poll_silence(cx) {
                return Poll::Ready(Some(Err(fault)));
            }
            ready!(self.poll_rest(cx));
        };
        self.hear();
        if is_last(piece.as_ref()) || self.source.is_end_stream() {
            self.release();
        }
        let frame = piece.map(|piece| piece.map_err(AnswerFault::Broken));
        Poll::Ready(frame.map(|frame| frame.map(|frame| with_trailers(frame, trailer_is_harmless))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Hyper(incoming) => incoming.size_hint(),
            Source::Resting(_) => SizeHint::default(),
        }
    }
}
