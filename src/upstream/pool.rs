//! Connections of one worker to one upstream server. Nothing here is shared between threads.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use http::header::UPGRADE;
use http::response::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::body::{RequestBody, ResponseBody};
use super::connect::Connector;
use super::error::ForwardError;
use super::outbound::Outbound;
use super::settings::Settings;
use crate::ambient::{Deadline, Ticker};
use crate::telemetry::metrics::{Gauge, Held};
use crate::wire::{keep_alive_timeout, settle_response};

/// The most unused connections that one worker keeps to one server.
const IDLE_CONNECTIONS: usize = 1024;

/// How much earlier than an upstream announces to close an unused connection it is not used any more: a request that
/// crosses the close on its way is lost, and only some may be sent again.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(1);

/// Sends requests over kept connections, newest first, and opens one where none is free.
pub struct Pool {
    settings: Settings,
    connector: Rc<Connector>,
    ticker: Ticker,
    counts: Rc<ConnectionCounts>,
    idle: RefCell<Vec<Connection>>,
}

/// Where the upstream connections of a worker are counted.
pub struct ConnectionCounts {
    /// Kept for the next request.
    pub idle: Gauge,
    /// In use.
    pub active: Gauge,
}

struct Connection {
    sender: SendRequest<RequestBody>,
    /// Passes when an answer takes too long.
    response: Deadline,
    /// Passes when the connection has been unused for too long.
    unused: Rc<Deadline>,
    /// How long that is.
    unused_after: Duration,
    /// The task that reads and writes.
    driver: AbortHandle,
    /// As what it is counted.
    counted: Held,
}

/// A connection in use by one exchange. Dropped without [`Lease::release`] it is closed at once.
pub(super) struct Lease {
    /// Taken when it is released.
    connection: Option<Connection>,
    /// Whether nothing can follow this exchange: its body was never asked for, or it was to leave HTTP.
    last: bool,
    pool: Rc<Pool>,
}

/// A connection for an exchange, and whether another one used it before.
enum Checkout {
    Fresh(Lease),
    Reused(Lease),
}

/// What an upstream makes of a request.
pub enum Sent {
    /// It answers.
    Answer(Response<ResponseBody>),
    /// It leaves HTTP, as it was asked to.
    Switched(Switched),
}

/// A connection that has left HTTP.
pub struct Switched {
    /// The head of the `101`.
    pub head: Parts,
    /// Its bytes from there on.
    pub io: Upgraded,
    /// As what it is counted.
    pub held: Held,
}

/// A failed attempt, with the request where it may be sent again.
struct Failed {
    error: ForwardError,
    again: Option<Outbound>,
}

impl Pool {
    /// An empty pool.
    pub fn new(settings: Settings, connector: Rc<Connector>, ticker: Ticker, counts: Rc<ConnectionCounts>) -> Rc<Self> {
        Rc::new(Self { settings, connector, ticker, counts, idle: RefCell::new(Vec::new()) })
    }

    /// Whether the pool serves an upstream with these settings.
    pub fn serves(&self, settings: &Settings) -> bool {
        self.settings == *settings
    }

    /// Sends a request and waits for the head of the answer. It is tried again only where the first attempt cannot have
    /// had an effect, and then over a new connection: where one kept connection was closed, others are likely to be.
    ///
    /// # Errors
    /// [`ForwardError`] where no answer came.
    pub async fn send(self: &Rc<Self>, outbound: Outbound) -> Result<Sent, ForwardError> {
        let mut checkout = self.checkout().await;
        let mut outbound = outbound;
        let mut tries_left = self.settings.retries;
        loop {
            let failed = match checkout {
                Ok(checkout) => match self.exchange(checkout, outbound).await {
                    Ok(response) => return Ok(response),
                    Err(failed) => failed,
                },
                Err(error) => Failed { error, again: Some(outbound) },
            };
            match failed.again {
                Some(again) if tries_left > 0 => outbound = again,
                Some(_) | None => return Err(failed.error),
            }
            tries_left -= 1;
            checkout = self.connect().await.map(Checkout::Fresh);
        }
    }

    async fn checkout(self: &Rc<Self>) -> Result<Checkout, ForwardError> {
        match self.take_idle() {
            Some(connection) => Ok(Checkout::Reused(Lease::new(connection, self))),
            None => self.connect().await.map(Checkout::Fresh),
        }
    }

    /// The newest connection that is ready. Others are given up: either the upstream closed them, or it answered before
    /// it had read the request's body, and nobody knows when it will.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.pop() {
            if connection.sender.is_ready() {
                connection.unused.disarm();
                connection.counted = self.counts.active.hold();
                return Some(connection);
            }
            connection.driver.abort();
        }
        None
    }

    async fn connect(self: &Rc<Self>) -> Result<Lease, ForwardError> {
        let stream = self.connector.connect(&self.settings.origin, self.settings.timeouts.connect).await?;
        let handshake = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(ForwardError::Closed)?;
        let unused = Rc::new(self.ticker.deadline());
        let driver = tokio::task::spawn_local(drive(driver.with_upgrades(), Rc::clone(&unused), Rc::downgrade(self)))
            .abort_handle();
        let unused_after = self.settings.timeouts.idle;
        let connection = Connection {
            sender,
            response: self.ticker.deadline(),
            unused,
            unused_after,
            driver,
            counted: self.counts.active.hold(),
        };
        Ok(Lease::new(connection, self))
    }

    async fn exchange(self: &Rc<Self>, checkout: Checkout, outbound: Outbound) -> Result<Sent, Failed> {
        let (mut lease, spare) = match checkout {
            Checkout::Fresh(lease) => (lease, None),
            Checkout::Reused(lease) => (lease, outbound.spare()),
        };
        let upgrade = outbound.upgrade().cloned();
        lease.last = upgrade.is_some();
        match lease.send(outbound.into_request()).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                switch(lease, response, upgrade.as_ref()).await.map_err(|error| Failed { error, again: None })
            }
            Ok(mut response) => match settle_response(response.headers_mut()) {
                Ok(()) => Ok(Sent::Answer(response.map(|body| ResponseBody::new(body, lease)))),
                Err(what) => Err(Failed { error: ForwardError::Protocol(what.to_string()), again: None }),
            },
            Err(Failed { error, again: None }) if matches!(error, ForwardError::Closed(_)) => {
                Err(Failed { error, again: spare })
            }
            Err(failed) => Err(failed),
        }
    }

    fn keep(&self, mut connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_CONNECTIONS {
            connection.unused.arm(connection.unused_after);
            connection.counted = self.counts.idle.hold();
            idle.push(connection);
        } else {
            connection.driver.abort();
        }
    }

    fn forget_closed(&self) {
        self.idle.borrow_mut().retain(|connection| !connection.sender.is_closed());
    }
}

/// Drives a connection until it ends or has been unused for too long.
async fn drive(driver: impl Future<Output = hyper::Result<()>>, unused: Rc<Deadline>, pool: Weak<Pool>) {
    {
        let mut driver = pin!(driver);
        poll_fn(|cx| match unused.poll_passed(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            // how it ended, the sender is told
            Poll::Pending => driver.as_mut().poll(cx).map(drop),
        })
        .await;
    }
    if let Some(pool) = pool.upgrade() {
        pool.forget_closed();
    }
}

impl Lease {
    fn new(connection: Connection, pool: &Rc<Pool>) -> Self {
        Self { connection: Some(connection), last: false, pool: Rc::clone(pool) }
    }

    /// Gives the connection back, ready for another exchange.
    pub(super) fn release(mut self) {
        if self.last {
            return;
        }
        if let Some(connection) = self.connection.take().filter(|connection| !connection.sender.is_closed()) {
            self.pool.keep(connection);
        }
    }

    async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, Failed> {
        let exchange = request.body().exchange().cloned();
        let connection = self.connection.as_mut().expect("a lease holds its connection until it is released");
        let Connection { sender, response, unused_after, .. } = connection;
        let deadline = match &exchange {
            // the body moves it for as long as it is being sent
            Some(exchange) => &exchange.response,
            None => &*response,
        };
        deadline.arm(self.pool.settings.timeouts.response);
        let mut answer = pin!(sender.try_send_request(request));
        let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => deadline.poll_passed(cx).map(|()| None),
        })
        .await;
        if let Some(Ok(response)) = &answered
            && let Some(kept) = keep_alive_timeout(response.headers())
        {
            *unused_after = kept.saturating_sub(KEEP_ALIVE_MARGIN).min(self.pool.settings.timeouts.idle);
        }
        // the body of the answer may take its time
        response.disarm();
        self.last |= exchange.as_ref().is_some_and(|exchange| exchange.body_withheld());
        let fault = exchange.as_ref().and_then(|exchange| exchange.fault.get());
        match answered {
            Some(Ok(response)) => Ok(response),
            None => Err(Failed { error: ForwardError::ResponseTimeout, again: None }),
            Some(Err(mut failed)) => {
                let again = failed.take_message().map(|request| Outbound::again(request, None));
                let error = fault.map_or_else(|| kind_of(failed.into_error()), ForwardError::Client);
                Err(Failed { error, again })
            }
        }
    }
}

impl Drop for Lease {
    /// hyper writes what it has begun to write, however long the upstream does not read: the task would stay for ever,
    /// and with it the client's body.
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.driver.abort();
        }
    }
}

async fn switch(
    mut lease: Lease,
    response: Response<Incoming>,
    asked: Option<&HeaderValue>,
) -> Result<Sent, ForwardError> {
    let to = response.headers().get(UPGRADE);
    let agreed = asked.zip(to).is_some_and(|(asked, to)| asked.as_bytes().eq_ignore_ascii_case(to.as_bytes()));
    if !agreed {
        return Err(ForwardError::Protocol("it switches protocols unasked".to_owned()));
    }
    let (head, body) = response.into_parts();
    let io = hyper::upgrade::on(Response::from_parts(head.clone(), body));
    let io = io.await.map_err(ForwardError::Closed)?;
    let Some(Connection { counted, .. }) = lease.connection.take() else {
        return Err(ForwardError::Protocol("no connection".to_owned()));
    };
    Ok(Sent::Switched(Switched { head, io, held: counted }))
}

fn kind_of(error: hyper::Error) -> ForwardError {
    if error.is_parse() { ForwardError::Protocol(error.to_string()) } else { ForwardError::Closed(error) }
}
