//! Connections that carry HTTP/1.1: one exchange at a time, kept in between.

mod hearing;
mod resting_body;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::io::AsyncWrite as _;

use self::hearing::Heard;
pub(super) use self::hearing::PAUSE_AFTER;
pub(super) use self::resting_body::RestingBody;
use super::answer_first::{AnswerFirst, PIECE};
use super::attempt::{Again, Failed, Switched, Use};
use super::body::{BodyExchange, RequestBody};
use super::dial_context::DialContext;
use super::driven::{Driven, HeadRoom, Heads, HyperState, PendingAnswer};
use super::error::ForwardError;
use super::flow::Flow;
use super::kept::KeptRequest;
use super::outbound::Outbound;
use super::proven_rest::{MARGIN, ProvenRest, Rest};
use super::settings::{Settings, Timeouts};
use super::switching;
use crate::ambient::Deadline;
use crate::net::DialedStream;
use crate::telemetry::metrics::GaugeGuard;
use crate::text::list;
use crate::wire::keep_alive_timeout;

/// The most unused connections that one worker keeps to one server.
const IDLE_CONNECTIONS: usize = 1024;

/// The pool of idle connections to a server.
#[expect(
    clippy::vec_box,
    reason = "a connection goes from hand to hand with its answer, as what fits into a register"
)]
pub(super) struct Http1Pool {
    idle: RefCell<Vec<Box<Connection>>>,
    /// For how long they may rest.
    proven: ProvenRest,
    timeouts: Timeouts,
    preserve_header_case: bool,
    dial_context: Rc<DialContext>,
}

/// The reply of a server over HTTP/1.1.
pub(super) enum Http1Reply {
    Answer(Response<Incoming>, Http1Lease),
    Switched(Box<Switched>),
}

struct Connection {
    driven: Driven,
    /// For how many fields of an answer hyper has room.
    room: HeadRoom,
    /// Passes when an answer, or the next piece of it, takes too long.
    response: Deadline,
    /// Passes when it is to be looked whether the answer is long in coming.
    look: Deadline,
    rest: Rc<Rest>,
    flow: Arc<Flow>,
    counted: GaugeGuard,
    fate: Fate,
}

/// What becomes of a connection after its exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    /// It was asked to change its protocol, and whatever the server made of that, nobody else shall find out; or the server
    /// answered without asking for the body that was announced to it.
    Closed,
}

/// An extension of the response of a server that has not read the request's body and says that it will end its connection.
#[derive(Clone, Copy, Debug)]
pub struct LeavesRequestUnread;

/// A connection in use by one exchange. Dropped without [`Http1Lease::release`] it is closed at once.
pub(super) struct Http1Lease {
    /// Taken when it is released.
    connection: Option<Box<Connection>>,
    pool: Rc<Http1Pool>,
}

impl Http1Pool {
    pub(super) fn new(settings: &Settings, dial_context: Rc<DialContext>) -> Rc<Self> {
        Rc::new(Self {
            idle: RefCell::default(),
            proven: ProvenRest::default(),
            timeouts: settings.timeouts,
            preserve_header_case: settings.preserve_header_case,
            dial_context,
        })
    }

    /// The newest connection that is ready. Others are given up: the upstream closed them. Where the newest has rested for so
    /// long that the server may be about to close it, none is used; they rest on, and show when it does.
    pub(super) fn take(self: &Rc<Self>) -> Option<Http1Lease> {
        let mut idle = self.idle.borrow_mut();
        let now = self.dial_context.ticker.ticks();
        if let Some(oldest) = idle.first()
            && oldest.driven.is_ready()
        {
            self.proven.survived(now - oldest.rest.since.get());
        }
        while let Some(mut connection) = idle.pop() {
            if connection.driven.is_ready() {
                let rest = &connection.rest;
                let age = now - rest.since.get();
                if !self.proven.allows(age, rest.announced.get()) {
                    idle.push(connection);
                    return None;
                }
                rest.unused.disarm();
                connection.counted = self.dial_context.counts.active.hold();
                return Some(Http1Lease::new(connection, self));
            }
            connection.driven.abort();
        }
        None
    }

    fn keep(&self, mut connection: Box<Connection>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_CONNECTIONS {
            let (rest, longest) = (&connection.rest, self.timeouts.idle);
            let announced = rest.announced.get();
            rest.unused
                .arm(announced.map_or(longest, |announced| announced.min(longest)));
            rest.since.set(self.dial_context.ticker.ticks());
            connection.counted = self.dial_context.counts.idle.hold();
            idle.push(connection);
        } else {
            connection.driven.abort();
        }
    }

    fn forget_closed(&self) {
        self.idle
            .borrow_mut()
            .retain(|connection| !connection.driven.is_closed());
    }
}

/// The most that is read of an answer at once, in bytes: twice as much is not faster, and up to three times as much waits in
/// memory for a client that reads nothing. One less than the power of two, as [`PIECE`].
const LARGE_PIECE: usize = (64 << 10) - 1;

/// Makes a connection ready for its first exchange.
pub(super) async fn open(
    stream: DialedStream,
    pool: &Rc<Http1Pool>,
) -> Result<Http1Lease, ForwardError> {
    let flow = Arc::<Flow>::default();
    let most = if pool.dial_context.frugal {
        PIECE
    } else {
        LARGE_PIECE
    };
    let stream = AnswerFirst::new(stream, Arc::clone(&flow), most);
    let ticker = &pool.dial_context.ticker;
    let rest = Rc::new(Rest::new(ticker.deadline()));
    let connection = Connection {
        driven: begin(stream, &rest, pool, HeadRoom::Usual)
            .await
            .map_err(ForwardError::Closed)?,
        room: HeadRoom::Usual,
        response: ticker.deadline(),
        look: ticker.deadline(),
        rest,
        flow,
        counted: pool.dial_context.counts.active.hold(),
        fate: Fate::Kept,
    };
    Ok(Http1Lease::new(Box::new(connection), pool))
}

async fn begin(
    stream: AnswerFirst,
    rest: &Rc<Rest>,
    pool: &Rc<Http1Pool>,
    room: HeadRoom,
) -> Result<Driven, hyper::Error> {
    let heads = Heads {
        preserve_case: pool.preserve_header_case,
        room,
    };
    let (rest, pool) = (Rc::clone(rest), Rc::downgrade(pool));
    let drive = |state| drive(state, rest, pool);
    Driven::begin(stream, heads, drive).await
}

/// Drives a connection until it ends, changes its protocol, or has been unused for too long.
async fn drive(state: HyperState, rest: Rc<Rest>, pool: Weak<Http1Pool>) {
    let closed = poll_fn(|cx| match rest.unused.poll_passed(cx) {
        Poll::Ready(()) => Poll::Ready(false),
        Poll::Pending => state.poll(cx).map(|()| rest.unused.is_armed()),
    })
    .await;
    if !rest.stays.get()
        && let Some(mut stream) = state.take()
    {
        // what the server does not take at once is not waited for
        poll_fn(|cx| {
            let _ = Pin::new(&mut stream).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }
    if let Some(pool) = pool.upgrade() {
        if closed {
            let age = pool.dial_context.ticker.ticks() - rest.since.get();
            pool.proven.closed(age, rest.announced.get());
        }
        pool.forget_closed();
    }
}

impl Http1Lease {
    fn new(connection: Box<Connection>, pool: &Rc<Http1Pool>) -> Self {
        Self {
            connection: Some(connection),
            pool: Rc::clone(pool),
        }
    }

    /// Waits until the connection takes a request. One that is given back before would be taken for one that is busy.
    pub(super) async fn ready(mut self) -> Result<Self, ForwardError> {
        self.connection_mut().driven.ready().await?;
        Ok(self)
    }

    /// Gives the connection back, ready for another exchange.
    pub(super) fn release(mut self) {
        let reusable = |connection: &Connection| {
            connection.fate == Fate::Kept && !connection.driven.is_closed()
        };
        if self.connection.as_deref().is_some_and(reusable)
            && let Some(connection) = self.connection.take()
        {
            self.pool.keep(connection);
        }
    }

    /// Passes when the next piece of a body has been waited for so long that its connection may rest.
    pub(super) fn look(&self) -> &Deadline {
        &self.connection().look
    }

    /// Passes when the answer is silent for too long; armed by whoever waits for it.
    pub(super) fn silence(&self) -> (&Deadline, Duration) {
        (&self.connection().response, self.pool.timeouts.stream)
    }

    /// Sends the request, and waits for the head of the answer.
    pub(super) async fn exchange(
        mut self,
        outbound: Outbound,
        used: Use,
    ) -> Result<Http1Reply, Failed> {
        let (kept, answer) = self.begin(outbound, used);
        let given_up = |error| Failed {
            error,
            again: Again::Never,
            used,
        };
        match self.answered(answer, &kept).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let switched = Box::pin(self.switch(response, kept.upgrade)).await;
                switched
                    .map(|switched| Http1Reply::Switched(Box::new(switched)))
                    .map_err(given_up)
            }
            Ok(response) => Ok(Http1Reply::Answer(response, self)),
            Err((error, Some(unsent))) => Err(Failed {
                error,
                again: Again::of_unsent(Outbound::again(unsent, kept.upgrade), used),
                used,
            }),
            Err((error @ ForwardError::Closed(_), None)) => Err(Failed {
                error,
                again: Again::of_spare(kept.spare),
                used,
            }),
            Err((error, None)) => Err(given_up(error)),
        }
    }

    /// Hands the request to the connection. Not in the future that waits: what was moved there once would have a place in
    /// it for as long as the upstream takes to answer.
    fn begin(&mut self, outbound: Outbound, used: Use) -> (KeptRequest, PendingAnswer) {
        let spare = match used {
            Use::First => None,
            Use::Further => outbound.spare(),
        };
        self.connection().flow.set_piece(outbound.piece());
        self.connection().flow.begin();
        self.connection().rest.stays.set(true);
        let interim = outbound.interim();
        let (mut request, upgrade) = outbound.into_parts();
        if let Some(protocol) = &upgrade {
            switching::ask(request.headers_mut(), protocol);
            self.connection_mut().fate = Fate::Closed;
        }
        let exchange = request.body().exchange().cloned();
        if let Some(exchange) = &exchange {
            *exchange.flow.borrow_mut() = Some(Arc::clone(&self.connection().flow));
        }
        let is_head = request.method() == Method::HEAD;
        let answer = self.connection_mut().driven.send(request);
        (
            KeptRequest {
                spare,
                upgrade,
                exchange,
                is_head,
                interim,
            },
            answer,
        )
    }

    /// The head of the answer.
    async fn answered(
        &mut self,
        answer: PendingAnswer,
        kept: &KeptRequest,
    ) -> Result<Response<Incoming>, (ForwardError, Option<Request<RequestBody>>)> {
        let exchange = kept.exchange.as_deref();
        self.deadline(exchange).arm(self.pool.timeouts.response);
        let (answered, course) = self.hear(answer, kept).await;
        let Connection {
            response,
            look,
            rest,
            ..
        } = self.connection_mut();
        look.disarm();
        if let Heard::Head(response) = &answered
            && let Some(kept) = keep_alive_timeout(response.headers())
        {
            rest.announced.set(Some(kept.saturating_sub(MARGIN)));
        }
        // the body of the answer has a limit of its own
        response.disarm();
        if course.is_given_up || exchange.is_some_and(BodyExchange::body_withheld) {
            self.connection_mut().fate = Fate::Closed;
        }
        match answered {
            Heard::Head(mut response) => {
                if response.version() == Version::HTTP_10 {
                    // hyper would send the next request as one of HTTP/1.0, and drop a body without a length
                    self.connection_mut().fate = Fate::Closed;
                }
                if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    self.connection().rest.stays.set(false);
                }
                let is_early = exchange.is_some_and(BodyExchange::is_unfinished);
                let ends = is_early && list::names(response.headers(), CONNECTION, "close");
                if course.is_given_up || ends {
                    response.extensions_mut().insert(LeavesRequestUnread);
                }
                Ok(response)
            }
            Heard::Nothing(error) => Err((error, None)),
            Heard::Failure(mut failed) => {
                // what stands in for a request is not sent again
                let unsent = failed.take_message().filter(|_| !course.stands_in);
                let fault = exchange.and_then(|exchange| exchange.fault.get());
                let error = fault.map_or_else(
                    || ForwardError::of_http1(failed.into_error()),
                    ForwardError::Client,
                );
                Err((error, unsent))
            }
        }
    }

    /// Passes when the answer takes too long.
    fn deadline<'a>(&'a self, exchange: Option<&'a BodyExchange>) -> &'a Deadline {
        match exchange {
            // the body moves it for as long as it is being sent
            Some(exchange) => &exchange.response,
            None => &self.connection().response,
        }
    }

    /// Checks a `101`: it is the requested switch, or a protocol error.
    async fn switch(
        mut self,
        mut response: Response<Incoming>,
        asked: Option<HeaderValue>,
    ) -> Result<Switched, ForwardError> {
        switching::check(response.headers(), asked.as_ref())?;
        // an error: hyper does not know who takes the connection
        let _ = hyper::upgrade::on(&mut response).await;
        let mut connection = self
            .connection
            .take()
            .expect("a lease holds its connection until it is released");
        let gone = || ForwardError::Protocol("it switches and ends".to_owned());
        Ok(Switched {
            head: response.into_parts().0,
            io: connection.driven.stop().ok_or_else(gone)?,
            held: connection.counted,
            load: None,
        })
    }

    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a lease holds its connection until it is released")
    }

    fn connection_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("a lease holds its connection until it is released")
    }
}

impl Drop for Http1Lease {
    /// hyper writes what it has begun to write, however long the upstream does not read: the task would stay for ever,
    /// and with it the client's body.
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.driven.abort();
        }
    }
}

#[cfg(test)]
mod tests;
