//! hyper's state of a connection of HTTP/1.1, with its buffers: it is there while anything moves, and may be taken away and
//! made anew in between.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::answer_first::AnswerFirst;
use super::body::RequestBody;
use super::error::ForwardError;
use super::limits::{LARGEST_HEAD, MOST_FIELDS};

/// Bytes that may be buffered beside the largest head. hyper buffers as much of a request's body for a server that takes nothing.
const READ_AHEAD: usize = 16 * 1024;

/// The result of hyper: the response, or the error with the request where it was not sent.
type Answered = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// An answer that hyper waits for.
pub(super) type PendingAnswer = Pin<Box<dyn Future<Output = Answered>>>;

/// How hyper reads and writes heads.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    /// Whether names of fields keep their spelling.
    pub(super) preserve_case: bool,
    pub(super) room: HeadRoom,
}

/// How many fields of an answer hyper has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadRoom {
    /// As many as nearly every answer fits into: hyper's own 100.
    Usual,
    /// [`MOST_FIELDS`]. Told of any number, hyper fills a list of so many places for each head, with twelve thousand
    /// instructions for these.
    Most,
}

/// A connection that hyper drives, unless it was taken away from it.
pub(super) struct Driven(Option<Hyper>);

/// With the channel to hyper's state, which is the largest part of it.
struct Hyper {
    sender: SendRequest<RequestBody>,
    state: HyperState,
    /// The task that reads and writes.
    task: AbortHandle,
}

/// What hyper has of a connection.
type HyperConnection = Connection<TokioIo<AnswerFirst>, RequestBody>;

/// Shared by the connection and its task.
#[derive(Clone)]
pub(super) struct HyperState(Rc<RefCell<Progress>>);

enum Progress {
    Driven(Box<HyperConnection>),
    /// hyper has ended: a request that it had not begun with is given back by that.
    Ended(AnswerFirst),
    /// Somebody has taken the connection.
    Taken,
}

impl Driven {
    /// Lets hyper drive a connection: `drive` makes the task that does.
    pub(super) async fn begin<F>(
        stream: AnswerFirst,
        heads: Heads,
        drive: impl FnOnce(HyperState) -> F,
    ) -> Result<Self, hyper::Error>
    where
        F: Future<Output = ()> + 'static,
    {
        let mut builder = Builder::new();
        if heads.room == HeadRoom::Most {
            builder.max_headers(MOST_FIELDS);
        }
        let (sender, connection) = builder
            .preserve_header_case(heads.preserve_case)
            .max_header_size(LARGEST_HEAD as usize)
            .max_buf_size(LARGEST_HEAD as usize + READ_AHEAD)
            // what comes of both is one field on one line (RFC 9112, sections 5.1 and 5.2)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await?;
        let progress = Progress::Driven(Box::new(connection));
        let state = HyperState(Rc::new(RefCell::new(progress)));
        Ok(Self(Some(Hyper {
            sender,
            task: tokio::task::spawn_local(drive(state.clone())).abort_handle(),
            state,
        })))
    }

    /// Whether it takes a request now.
    pub(super) fn is_ready(&self) -> bool {
        let running = self.0.as_ref();
        running.is_some_and(|running| running.sender.is_ready())
    }

    /// Whether it takes none any more.
    pub(super) fn is_closed(&self) -> bool {
        let running = self.0.as_ref();
        running.is_none_or(|running| running.sender.is_closed())
    }

    /// Waits until it takes a request.
    pub(super) async fn ready(&mut self) -> Result<(), ForwardError> {
        let ready = self.running().sender.ready().await;
        ready.map_err(ForwardError::Closed)
    }

    /// Hands a request to it.
    pub(super) fn send(&mut self, request: Request<RequestBody>) -> PendingAnswer {
        Box::pin(self.running().sender.try_send_request(request))
    }

    /// Takes hyper's state away, and leaves the connection with what was read of it ahead; `None` where hyper has ended.
    pub(super) fn stop(&mut self) -> Option<AnswerFirst> {
        self.abort();
        self.0.take()?.state.take()
    }

    /// Ends the task. The connection is closed with its last owner.
    pub(super) fn abort(&self) {
        if let Some(running) = &self.0 {
            running.task.abort();
        }
    }

    fn running(&mut self) -> &mut Hyper {
        self.0
            .as_mut()
            .expect("hyper is there whenever a request is sent")
    }
}

impl HyperState {
    /// Reads and writes; ready when hyper has ended. The sender receives the error.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.0.borrow_mut() {
            Progress::Driven(connection) => {
                let _ = ready!(connection.poll_without_shutdown(cx));
            }
            Progress::Ended(_) | Progress::Taken => return Poll::Ready(()),
        }
        if let Some(stream) = self.take() {
            self.0.replace(Progress::Ended(stream));
        }
        Poll::Ready(())
    }

    /// The connection without hyper.
    pub(super) fn take(&self) -> Option<AnswerFirst> {
        match self.0.replace(Progress::Taken) {
            Progress::Driven(connection) => {
                let parts = connection.into_parts();
                let mut stream = parts.io.into_inner();
                stream.unread(parts.read_buf);
                Some(stream)
            }
            Progress::Ended(stream) => Some(stream),
            Progress::Taken => None,
        }
    }
}
