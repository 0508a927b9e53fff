//! A connection of HTTP/1.1 or HTTP/1.0.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::task::yield_now;

use super::client::Client;
use super::clock::ConnectionClock;
use super::context::Context;
use super::give_up::give_up;
use super::io::ClientIo;
use super::linger::discard_body;
use super::outbox::Outbox;
use super::parking::{self, Woken};
use super::stream::Stream;
use super::timed_body::TimedBody;
use crate::gateway::{ClientConnection, Reply, Tunnel, handle};
use crate::telemetry::metrics::ConnectionRejection;
use crate::text::list;
use crate::upstream::{ClientBody, LeavesRequestUnread};

/// How a connection ended.
enum Ended {
    /// As HTTP has it, or by the client.
    Closed,
    /// With bytes that are no request; hyper has answered 400, 414 or 431 where it could.
    Malformed,
    /// Its time was over.
    TimedOut,
    /// Not at all: it has rested for a while.
    Resting,
}

/// Serves a connection until it ends, its time is over, or the gateway has drained. Between two requests it may be
/// parked.
pub(super) async fn serve(
    mut stream: Stream,
    client: Client,
    clock: Rc<ConnectionClock>,
    context: &Rc<Context>,
) {
    loop {
        // on the heap, where nothing of it is left while the connection is parked or a tunnel
        match Box::pin(converse(stream, client, &clock, context)).await {
            Left::Resting(resting) => stream = resting,
            Left::Http(stream, tunnel) => return Box::pin(tunnel.run(stream)).await,
            Left::Nothing => return,
        }
        match parking::park(&mut stream, &clock, context).await {
            Woken::Called => {}
            Woken::Over => return,
        }
    }
}

/// What is left of a connection when hyper has done with it.
enum Left {
    /// One that rests, with what was read of it ahead.
    Resting(Stream),
    /// One that has left HTTP, and what comes behind the `101`.
    Http(Stream, Box<Tunnel>),
    Nothing,
}

/// Answers requests, for as long as they come one soon after the other.
async fn converse(
    stream: Stream,
    client: Client,
    clock: &Rc<ConnectionClock>,
    context: &Rc<Context>,
) -> Left {
    let outbox = Rc::new(Outbox::new());
    let peer = client.peer().with_interim(outbox.interim().clone());
    let peer = ClientConnection::new(peer, clock.terms().trust);
    let io = ClientIo::new(stream, Rc::clone(clock), Rc::clone(&outbox));
    let target = Rc::clone(io.target());
    let io = TokioIo::new(io);
    let switched: RefCell<Option<Box<Tunnel>>> = RefCell::default();
    // whether the connection was to end with the last answer anyway
    let is_last = Cell::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        let running = clock.begin(&request.body().size_hint());
        let asked = Asked::of(&request);
        let (context, peer, outbox, switched) = (Rc::clone(context), &peer, &outbox, &switched);
        let is_last = &is_last;
        let request = Box::new(request.map(ClientBody::http1));
        let fault = target.take_fault();
        async move {
            let Reply {
                mut response,
                tunnel,
                is_own,
            } = handle(&context.gateway, request, fault, peer).await;
            outbox.close();
            asked.let_hyper_look(is_own).await;
            if tunnel.is_some() {
                *switched.borrow_mut() = tunnel;
            } else {
                let ends = context.ends(clock.terms());
                is_last.set(asked.settle(&mut response, is_own, ends));
            }
            Ok::<_, Infallible>(response.map(|body| TimedBody::new(body, Some(running), None)))
        }
    });
    let mut connection = clock.terms().http1.serve_connection(io, service);
    let ended = drive(&mut connection, clock, &outbox, context).await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_stream();
    match (ended, switched.take()) {
        (Ended::Resting, _) => {
            stream.unread(parts.read_buf);
            return Left::Resting(stream);
        }
        (Ended::Closed, Some(tunnel)) => {
            // what the client has sent behind its request already
            stream.unread(parts.read_buf);
            return Left::Http(stream, tunnel);
        }
        (Ended::Closed, None) if !clock.sending() => {}
        // on the heap, as what few connections need
        (ended, _) => {
            let is_unfinished = !is_last.get();
            Box::pin(leave(ended, stream, is_unfinished, client, clock, context)).await;
        }
    }
    Left::Nothing
}

/// What a request says about its connection.
#[derive(Clone, Copy)]
struct Asked {
    version: Version,
    has_body: bool,
    /// Whether the client wants to use the connection for another request (RFC 9112, section 9.3).
    persists: bool,
}

impl Asked {
    fn of(request: &Request<Incoming>) -> Self {
        let says = |option| list::names(request.headers(), CONNECTION, option);
        let version = request.version();
        Self {
            version,
            has_body: !request.body().is_end_stream(),
            persists: match version {
                Version::HTTP_10 => says("keep-alive"),
                _ => !says("close"),
            },
        }
    }

    /// Nobody reads the body behind an answer of the gateway: hyper drains what is there, or ends the connection with this
    /// answer and says so, once it was polled in between (RFC 9112, section 9.6).
    async fn let_hyper_look(self, is_own: bool) {
        if self.has_body && is_own {
            yield_now().await;
        }
    }

    /// Says where no other answer follows on this connection, and returns whether that is so as far as it is known before
    /// hyper has read the body (RFC 9112, section 9.6).
    fn settle<B>(self, response: &mut Response<B>, is_own: bool, ends: bool) -> bool {
        let is_old = self.version == Version::HTTP_10;
        let is_last = ends
            || !self.persists
            || is_old && self.has_body && is_own
            || response.extensions().get::<LeavesRequestUnread>().is_some();
        if is_last {
            if is_old {
                // else hyper adds `keep-alive` where the client has asked for it
                *response.version_mut() = self.version;
            }
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        is_last
    }
}

/// What becomes of the socket when hyper has done with it, and the client may not have.
async fn leave(
    ended: Ended,
    stream: Stream,
    is_unfinished: bool,
    client: Client,
    clock: &ConnectionClock,
    context: &Context,
) {
    match ended {
        Ended::Closed => discard_body(stream, is_unfinished, &context.ticker).await,
        Ended::Resting => {}
        Ended::Malformed => {
            context
                .rejections
                .note(ConnectionRejection::Malformed, client.ip());
            discard_body(stream, false, &context.ticker).await;
        }
        Ended::TimedOut => give_up(stream, client, clock, context).await,
    }
}

/// Polls the connection; looks at the clock and at the drain only when it has nothing to do.
async fn drive<S, F>(
    connection: &mut http1::Connection<TokioIo<ClientIo>, S>,
    clock: &ConnectionClock,
    outbox: &Outbox,
    context: &Context,
) -> Ended
where
    S: HttpService<Incoming, ResBody = TimedBody, Error = Infallible, Future = F> + Unpin,
    F: Future,
    http1::Connection<TokioIo<ClientIo>, S>: Future<Output = hyper::Result<()>> + Unpin,
{
    // a task has one waker for all its life
    poll_fn(|cx| {
        outbox.interim().wake_with(cx.waker());
        Poll::Ready(())
    })
    .await;
    let mut drained = false;
    poll_fn(|cx| {
        if context.closes_idle(clock.terms()) && !drained {
            drained = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        match Pin::new(&mut *connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ended::Closed),
            Poll::Ready(Err(error)) if error.is_parse() => Poll::Ready(Ended::Malformed),
            Poll::Ready(Err(_)) => Poll::Ready(Ended::Closed),
            Poll::Pending => clock.poll_over(cx).map(|()| {
                if clock.park() {
                    Ended::Resting
                } else {
                    Ended::TimedOut
                }
            }),
        }
    })
    .await
}
