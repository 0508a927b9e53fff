//! Connections that carry HTTP/2: one a worker and server, shared by all its requests.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::mem::replace;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::attempt::{Again, Failed, Use};
use super::body::RequestBody;
use super::dial_context::DialContext;
use super::error::ForwardError;
use super::limits::{LARGEST_HEAD, MOST_FIELDS};
use super::outbound::Outbound;
use super::rewrite;
use super::settings::Timeouts;
use super::within::within;
use crate::ambient::Deadline;
use crate::net::DialedStream;
use crate::telemetry::metrics::GaugeGuard;

/// What a server may send before a slow client has taken it: for one answer, and for all of a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The same where memory is scarce.
const FRUGAL_WINDOWS: (u32, u32) = (64 << 10, 1 << 20);

/// How long a connection with requests may be silent before it is asked whether it lives, and how long it may take to
/// say so. No more often: servers of gRPC close connections that are asked more than once in five minutes. What needs
/// to be noticed sooner, is: a vanished host by the system's keep-alive, a stuck one by the deadline of an answer.
const PING_EVERY: Duration = Duration::from_secs(301);
const PING_WAIT: Duration = Duration::from_secs(20);

/// The shared connection to a server, if one is open.
pub(super) struct Http2Slot {
    current: RefCell<Option<Rc<SharedConnection>>>,
    timeouts: Timeouts,
    dial_context: Rc<DialContext>,
}

/// A connection for any number of exchanges.
pub(super) struct SharedConnection {
    sender: RefCell<SendRequest<RequestBody>>,
    timeouts: Timeouts,
    dial_context: Rc<DialContext>,
    /// Passes when the connection has been unused for too long.
    unused: Rc<Deadline>,
    /// Exchanges under way.
    streams: Cell<usize>,
    /// Answers that have begun to come. Where a deadline passes and none has come since, the connection is dead.
    heard: Cell<u64>,
    /// As what it is counted.
    counted: RefCell<GaugeGuard>,
    /// Deadlines that exchanges have left behind, for further ones.
    deadlines: RefCell<Vec<Deadline>>,
}

/// One exchange on a shared connection. What it leaves unread is reset when its body is dropped.
pub(super) struct Http2Lease {
    connection: Rc<SharedConnection>,
    /// Passes when the answer, or the next piece of it, takes too long; taken when the lease ends.
    deadline: Option<Deadline>,
}

/// Runs hyper's tasks on the worker's own thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

impl Http2Slot {
    pub(super) fn new(timeouts: Timeouts, dial_context: Rc<DialContext>) -> Rc<Self> {
        Rc::new(Self {
            current: RefCell::default(),
            timeouts,
            dial_context,
        })
    }

    /// An exchange on the connection, if there is one that is not about to end.
    pub(super) fn take(&self) -> Option<Http2Lease> {
        let mut slot = self.current.borrow_mut();
        let connection = slot.take_if(|connection| !connection.sender.borrow().is_ready());
        drop(connection);
        slot.as_ref().map(SharedConnection::lease)
    }

    pub(super) fn put(&self, connection: &Rc<SharedConnection>) {
        // a former one goes on until its exchanges have ended
        *self.current.borrow_mut() = Some(Rc::clone(connection));
    }

    /// Sends nothing more to this connection.
    fn retire(&self, connection: &SharedConnection) {
        self.current
            .borrow_mut()
            .take_if(|current| std::ptr::eq(&raw const **current, connection));
    }
}

/// Makes a connection ready for its first exchange.
pub(super) async fn open(
    stream: DialedStream,
    slot: &Rc<Http2Slot>,
) -> Result<Rc<SharedConnection>, ForwardError> {
    let (stream_window, connection_window) = if slot.dial_context.frugal {
        FRUGAL_WINDOWS
    } else {
        (STREAM_WINDOW, CONNECTION_WINDOW)
    };
    let mut builder = Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_header_list_size(LARGEST_HEAD)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WAIT);
    let (sender, driver) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ForwardError::Closed)?;
    let connection = Rc::new(SharedConnection {
        sender: RefCell::new(sender),
        timeouts: slot.timeouts,
        dial_context: Rc::clone(&slot.dial_context),
        unused: Rc::new(slot.dial_context.ticker.deadline()),
        streams: Cell::new(0),
        heard: Cell::new(0),
        counted: RefCell::new(slot.dial_context.counts.idle.hold()),
        deadlines: RefCell::default(),
    });
    connection.unused.arm(slot.timeouts.idle);
    let unused = Rc::clone(&connection.unused);
    tokio::task::spawn_local(drive(
        driver,
        unused,
        Rc::downgrade(&connection),
        Rc::downgrade(slot),
    ));
    Ok(connection)
}

/// Drives a connection until it ends or has been unused for too long, and takes it out of use then.
async fn drive(
    driver: Connection<TokioIo<DialedStream>, RequestBody, Local>,
    unused: Rc<Deadline>,
    connection: Weak<SharedConnection>,
    slot: Weak<Http2Slot>,
) {
    {
        let mut driver = pin!(driver);
        poll_fn(|cx| match unused.poll_passed(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            // every exchange receives the error
            Poll::Pending => driver.as_mut().poll(cx).map(drop),
        })
        .await;
    }
    if let (Some(connection), Some(slot)) = (connection.upgrade(), slot.upgrade()) {
        slot.retire(&connection);
    }
}

impl SharedConnection {
    pub(super) fn lease(self: &Rc<Self>) -> Http2Lease {
        if self.streams.replace(self.streams.get() + 1) == 0 {
            self.unused.disarm();
            drop(self.counted.replace(self.dial_context.counts.active.hold()));
        }
        let deadline = self
            .deadlines
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| self.dial_context.ticker.deadline());
        Http2Lease {
            connection: Rc::clone(self),
            deadline: Some(deadline),
        }
    }
}

impl Http2Lease {
    /// Passes when the answer is silent for too long; armed by whoever waits for it.
    pub(super) fn silence(&self) -> (&Deadline, Duration) {
        (self.deadline(), self.connection.timeouts.stream)
    }

    /// Sends the request, and waits for the head of the answer.
    pub(super) async fn exchange(
        self,
        outbound: Outbound,
        used: Use,
        slot: &Http2Slot,
        scheme: Scheme,
    ) -> Result<(Response<Incoming>, Self), Failed> {
        // a first exchange may be refused as well: the server announces its limits later
        let spare = outbound.spare();
        let (mut request, upgrade) = outbound.into_parts();
        let given_up = |error| Failed {
            error,
            again: Again::Never,
            used,
        };
        rewrite::for_http2(&mut request, scheme).map_err(given_up)?;
        match self.send(request, slot).await {
            Ok(response) => Ok((response, self)),
            Err((error, Some(mut unsent))) => {
                rewrite::for_http1(&mut unsent);
                Err(Failed {
                    error,
                    again: Again::of_unsent(Outbound::again(unsent, upgrade), used),
                    used,
                })
            }
            Err((ForwardError::Closed(error), None))
                if used == Use::Further || was_not_processed(&error) =>
            {
                Err(Failed {
                    error: ForwardError::Closed(error),
                    again: Again::of_spare(spare),
                    used,
                })
            }
            Err((error, None)) => Err(given_up(error)),
        }
    }

    async fn send(
        &self,
        request: Request<RequestBody>,
        slot: &Http2Slot,
    ) -> Result<Response<Incoming>, (ForwardError, Option<Request<RequestBody>>)> {
        let exchange = request.body().exchange().cloned();
        let deadline = match &exchange {
            // the body moves it for as long as it is being sent
            Some(exchange) => &exchange.response,
            None => self.deadline(),
        };
        // from here on, for waiting until the server takes another request counts too
        deadline.arm(self.connection.timeouts.response);
        let heard = self.connection.heard.get();
        let answer = self
            .connection
            .sender
            .borrow_mut()
            .try_send_request(request);
        let answered = within(deadline, answer).await;
        self.deadline().disarm();
        match answered {
            Some(Ok(response)) => {
                let so_far = self.connection.heard.get();
                self.connection.heard.set(so_far.wrapping_add(1));
                if response.headers().len() > MOST_FIELDS {
                    return Err((ForwardError::HeadTooLarge, None));
                }
                Ok(response)
            }
            None => {
                if self.connection.heard.get() == heard {
                    slot.retire(&self.connection);
                }
                Err((ForwardError::ResponseTimeout, None))
            }
            Some(Err(mut failed)) => {
                let unsent = failed.take_message();
                let fault = exchange.and_then(|exchange| exchange.fault.get());
                let kind = || kind_of(failed.into_error());
                Err((fault.map_or_else(kind, ForwardError::Client), unsent))
            }
        }
    }

    fn deadline(&self) -> &Deadline {
        self.deadline
            .as_ref()
            .expect("a lease holds its deadline until it ends")
    }
}

impl Drop for Http2Lease {
    fn drop(&mut self) {
        let connection = &self.connection;
        if let Some(deadline) = self.deadline.take() {
            deadline.disarm();
            connection.deadlines.borrow_mut().push(deadline);
        }
        let others = connection.streams.get() - 1;
        connection.streams.set(others);
        if others == 0 {
            connection.unused.arm(connection.timeouts.idle);
            drop(replace(
                &mut *connection.counted.borrow_mut(),
                connection.dial_context.counts.idle.hold(),
            ));
        }
    }
}

/// h2 gives up a stream by itself where the head of its answer is too large, or makes no sense.
fn kind_of(error: hyper::Error) -> ForwardError {
    match h2_error(&error) {
        Some(h2) if h2.is_library() && h2.reason() == Some(h2::Reason::PROTOCOL_ERROR) => {
            if h2.is_reset() {
                ForwardError::HeadTooLarge
            } else {
                ForwardError::Protocol(error.to_string())
            }
        }
        Some(_) | None => ForwardError::Closed(error),
    }
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

/// Whether the server says that it has not looked at the request (RFC 9113, section 8.7): the stream was refused, or
/// lies beyond the last one that a connection which is going away still serves.
fn was_not_processed(error: &hyper::Error) -> bool {
    let Some(error) = h2_error(error) else {
        return false;
    };
    match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_remote(),
        Some(h2::Reason::NO_ERROR) => error.is_remote() && error.is_go_away(),
        Some(_) | None => false,
    }
}
