//! The wait for the head of an answer, with hyper's state of the connection, without it, or with another one.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::{Http1Lease, begin};
use crate::upstream::answer_first::AnswerFirst;
use crate::upstream::body::RequestBody;
use crate::upstream::driven::{HeadRoom, PendingAnswer};
use crate::upstream::error::ForwardError;
use crate::upstream::kept::KeptRequest;
use crate::upstream::within::within;

/// How long an answer is waited for before hyper's buffers are given back.
pub(in crate::upstream) const PAUSE_AFTER: Duration = Duration::from_millis(500);

/// What came of the wait.
pub(super) enum Heard {
    Head(Response<Incoming>),
    Failure(TrySendError<Request<RequestBody>>),
    Nothing(ForwardError),
}

/// What became of the request during the wait.
#[derive(Default)]
pub(super) struct Course {
    /// Whether hyper has one that stands in for it.
    pub(super) stands_in: bool,
    /// Whether some of its body may have been still to be sent, and is not any more.
    pub(super) is_given_up: bool,
}

impl Http1Lease {
    /// Waits for the head of the answer.
    pub(super) async fn hear(
        &mut self,
        mut answer: PendingAnswer,
        kept: &KeptRequest,
    ) -> (Heard, Course) {
        let (exchange, mut course) = (kept.exchange.as_deref(), Course::default());
        loop {
            self.connection().look.arm(PAUSE_AFTER);
            let look = within(&self.connection().look, answer.as_mut());
            // what few requests need is on the heap
            let again = match within(self.deadline(exchange), look).await {
                Some(Some(Ok(response))) => return (Heard::Head(response), course),
                Some(Some(Err(failed))) if self.may_have_room(&failed) => {
                    // what was still to be sent is gone with hyper's state, and nobody knows whether it was anything
                    course.is_given_up = exchange.is_some();
                    Box::pin(self.read_again(kept)).await
                }
                Some(Some(Err(failed))) => return (Heard::Failure(failed), course),
                Some(None) if self.may_pause(kept) => Box::pin(self.pause(kept)).await,
                Some(None) => continue,
                None => Err(ForwardError::ResponseTimeout),
            };
            course.stands_in = true;
            match again {
                Ok(again) => answer = again,
                Err(error) => return (Heard::Nothing(error), course),
            }
        }
    }

    /// Whether the server has all of the request, and nothing but its answer is waited for.
    fn may_pause(&self, kept: &KeptRequest) -> bool {
        kept.is_sent() && self.connection().flow.is_flushed()
    }

    /// Waits without hyper until the server says something.
    async fn pause(&mut self, kept: &KeptRequest) -> Result<PendingAnswer, ForwardError> {
        let stream = self.connection_mut().driven.stop();
        let stream = stream.ok_or(ForwardError::ResponseTimeout)?;
        within(self.deadline(kept.exchange.as_deref()), stream.readable())
            .await
            .ok_or(ForwardError::ResponseTimeout)?;
        // on the heap, where nothing of it is there while nothing comes
        Box::pin(self.resume(stream, kept)).await
    }

    /// Whether an answer that hyper does not take may have no more than too many fields for it.
    fn may_have_room(&self, failed: &TrySendError<Request<RequestBody>>) -> bool {
        self.connection().room == HeadRoom::Usual && failed.error().is_parse_too_large()
    }

    /// Reads an answer again with room for all of its fields.
    async fn read_again(&mut self, kept: &KeptRequest) -> Result<PendingAnswer, ForwardError> {
        self.connection_mut().room = HeadRoom::Most;
        let stream = self.connection_mut().driven.stop();
        self.resume(stream.ok_or(ForwardError::HeadTooLarge)?, kept)
            .await
    }

    /// Lets hyper drive the connection again, with a request that stands in for the one that the server has.
    async fn resume(
        &mut self,
        mut stream: AnswerFirst,
        kept: &KeptRequest,
    ) -> Result<PendingAnswer, ForwardError> {
        stream.repeat_request();
        let connection = self.connection();
        connection.flow.begin();
        let begun = begin(stream, &connection.rest, &self.pool, connection.room).await;
        self.connection_mut().driven = begun.map_err(ForwardError::Closed)?;
        Ok(self.connection_mut().driven.send(kept.stand_in()))
    }
}
