//! The body of an answer, which tells its connection when it is over, and its stream when it waits for the client.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::clock::Running;
use crate::ambient::{Deadline, Ticker};
use crate::gateway::ReplyBody;

/// The largest piece that a stream hands over, in bytes: as much as one frame takes. Larger ones would hide that a slow
/// client takes something, and keep more in memory for one that does not.
const PIECE: usize = 16 * 1024;

/// An answer on its way to the client.
pub(super) struct TimedBody {
    body: ReplyBody,
    /// What of the last piece is still to be handed over.
    rest: Bytes,
    /// The pieces that a stream has handed over; HTTP/1.1 has one answer at a time, and the socket tells.
    handover: Option<Rc<Handover>>,
    /// `None` where what follows the answer is not over with it.
    running: Option<Running>,
}

/// How far the client of one stream has taken its answer.
#[derive(Default)]
pub(super) struct Handover {
    /// Pieces that were handed over.
    pieces: Cell<u64>,
    /// The last of them is not taken yet.
    waits: Cell<bool>,
    /// The client will not get the last of them.
    given_up: Cell<bool>,
}

/// Gives a stream up whose client does not take the next piece in time.
pub(super) struct Patience {
    handover: Rc<Handover>,
    ticker: Ticker,
    longest: Duration,
    /// Made when a piece is not taken at once; and for which one it was armed.
    deadline: Option<(Deadline, u64)>,
}

impl TimedBody {
    pub(super) fn new(
        body: ReplyBody,
        running: Option<Running>,
        handover: Option<Rc<Handover>>,
    ) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            handover,
            running,
        }
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, <Self as Body>::Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = <ReplyBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.handover.is_none() {
            // hyper would keep more than the client takes, and asks again as soon as it has taken something
            if self.running.as_ref().is_some_and(Running::is_stalled) {
                return Poll::Pending;
            }
            return Pin::new(&mut self.body).poll_frame(cx);
        }
        let polled = self.poll_piece(cx);
        if let Some(handover) = &self.handover {
            handover.waits.set(polled.is_ready());
            handover
                .pieces
                .set(handover.pieces.get() + u64::from(polled.is_ready()));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        let given_up = self
            .handover
            .as_ref()
            .is_some_and(|handover| handover.given_up.get());
        if given_up || !self.rest.is_empty() {
            self.body.break_off();
        }
    }
}

impl Patience {
    pub(super) fn new(handover: Rc<Handover>, ticker: Ticker, longest: Duration) -> Self {
        Self {
            handover,
            ticker,
            longest,
            deadline: None,
        }
    }

    /// Ready when the client has left a piece for too long; to be asked when the stream cannot go on.
    pub(super) fn poll_over(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.handover.waits.get() {
            self.deadline = None;
            return Poll::Pending;
        }
        let piece = self.handover.pieces.get();
        let (deadline, armed_for) = self
            .deadline
            .get_or_insert_with(|| (self.ticker.deadline(), 0));
        if *armed_for != piece {
            *armed_for = piece;
            deadline.arm(self.longest);
        }
        deadline
            .poll_passed(cx)
            .map(|()| self.handover.given_up.set(true))
    }
}
