//! A connection of HTTP/1.1 or HTTP/1.0.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;

use super::answering::{AnswerBody, Answering, FoundAnswer};
use super::asked::Asked;
use super::client::Client;
use super::clock::{ConnectionClock, Running};
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
use crate::upstream::ClientBody;
use crate::wire::BadTarget;

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// As HTTP has it, or by the client.
    Closed,
    /// With bytes that are no request; hyper has answered 400, 414 or 431 where it could.
    Malformed,
    /// Its time was over.
    TimedOut,
    /// Not at all: it has rested for a while.
    Resting,
    /// Not at all: nothing of an answer has moved for a while.
    Waiting,
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
    let switched: RefCell<Option<Box<Tunnel>>> = RefCell::default();
    let answering = Answering::new();
    let service = service_fn(|request: Request<Incoming>| {
        if !answering.is_led_back() {
            let running = clock.begin(&request.body().size_hint());
            let asked = Asked::of(&request);
            let (peer, outbox, switched) = (&peer, &*outbox, &switched);
            let fault = target.take_fault();
            let received = asked.has_body.then(|| Rc::clone(answering.received()));
            let body = |incoming| ClientBody::http1(incoming, received);
            let request = Box::new(request.map(body));
            let search = find(
                context,
                request,
                fault,
                (peer, outbox, switched),
                asked,
                running,
            );
            answering.begin(asked, search);
        }
        answering.answer()
    });
    let (io, ended, unread) = exchange(io, &service, &answering, clock, &outbox, context).await;
    answering.give_up();
    let mut stream = io.into_stream();
    match (ended, switched.take()) {
        (Ended::Resting, _) => {
            stream.unread(unread);
            return Left::Resting(stream);
        }
        (Ended::Closed, Some(tunnel)) => {
            // what the client has sent behind its request already
            stream.unread(unread);
            return Left::Http(stream, tunnel);
        }
        // bytes that nobody reads would reset the connection, and the answer may be lost with it
        (Ended::Closed, None) if !clock.sending() && unread.is_empty() && !stream.is_prefixed() => {
        }
        // on the heap, as what few connections need
        (ended, _) => {
            let is_unfinished = !answering.is_last();
            Box::pin(leave(ended, stream, is_unfinished, client, clock, context)).await;
        }
    }
    Left::Nothing
}

/// Finds the answer to a request, and what may come behind it.
async fn find(
    context: &Context,
    request: Box<Request<ClientBody>>,
    fault: Option<BadTarget>,
    (peer, outbox, switched): (&ClientConnection, &Outbox, &RefCell<Option<Box<Tunnel>>>),
    asked: Asked,
    running: Running,
) -> FoundAnswer {
    let Reply {
        mut response,
        tunnel,
        is_own,
    } = handle(&context.gateway, request, fault, peer).await;
    outbox.close();
    asked.let_hyper_look(is_own).await;
    let mut is_last = false;
    if tunnel.is_some() {
        *switched.borrow_mut() = tunnel;
    } else {
        let ends = context.ends(running.clock().terms());
        is_last = asked.settle(&mut response, is_own, ends);
    }
    let response = response.map(|body| TimedBody::new(body, Some(running), None));
    FoundAnswer { response, is_last }
}

/// Lets hyper speak, and waits without it while an answer is long in coming. What hyper has read and not used comes back.
async fn exchange<S, F>(
    mut io: ClientIo,
    service: S,
    answering: &Answering<F>,
    clock: &ConnectionClock,
    outbox: &Outbox,
    context: &Context,
) -> (ClientIo, Ended, Bytes)
where
    S: HttpService<Incoming, ResBody = AnswerBody, Error = Infallible> + Copy,
    F: Future<Output = FoundAnswer>,
{
    loop {
        let spoken = Box::pin(speak(io, service, answering, clock, outbox, context)).await;
        let (ended, unread);
        (io, ended, unread) = spoken;
        if ended != Ended::Waiting {
            return (io, ended, unread);
        }
        io.unread(unread);
        if let Some(ended) = wait(&mut io, answering, clock, context).await {
            return (io, ended, Bytes::new());
        }
        let (head, is_sent) = answering.lead_back();
        io.lead_back(head, is_sent);
        clock.go_on();
    }
}

/// Lets hyper speak, for as long as it has something to say or to hear. What it has read and not used comes back.
async fn speak<S, F>(
    io: ClientIo,
    service: S,
    answering: &Answering<F>,
    clock: &ConnectionClock,
    outbox: &Outbox,
    context: &Context,
) -> (ClientIo, Ended, Bytes)
where
    S: HttpService<Incoming, ResBody = AnswerBody, Error = Infallible>,
    F: Future<Output = FoundAnswer>,
{
    let http = &clock.terms().http1;
    let mut connection = http.serve_connection(TokioIo::new(io), service);
    let ended = drive(&mut connection, answering, clock, outbox, context).await;
    let parts = if ended == Ended::Waiting {
        answering.without_hyper(|| connection.into_parts())
    } else {
        connection.into_parts()
    };
    (parts.io.into_inner(), ended, parts.read_buf)
}

/// Waits without hyper until its answer goes on; returns how the connection ended if it did.
async fn wait<F: Future<Output = FoundAnswer>>(
    io: &mut ClientIo,
    answering: &Answering<F>,
    clock: &ConnectionClock,
    context: &Context,
) -> Option<Ended> {
    let _parked = context.gateway.shard().parked_connections().hold();
    clock.wait();
    poll_fn(|cx| {
        if answering.poll_moves(cx).is_ready() {
            return Poll::Ready(None);
        }
        if io.poll_gone(cx).is_ready() {
            return Poll::Ready(Some(Ended::Closed));
        }
        // armed while the client does not take an interim answer
        ready!(clock.poll_over(cx));
        if clock.looks() {
            clock.wait();
            return Poll::Pending;
        }
        Poll::Ready(Some(Ended::TimedOut))
    })
    .await
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
        Ended::Resting | Ended::Waiting => {}
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
    answering: &Answering<F>,
    clock: &ConnectionClock,
    outbox: &Outbox,
    context: &Context,
) -> Ended
where
    S: HttpService<Incoming, ResBody = AnswerBody, Error = Infallible>,
    F: Future<Output = FoundAnswer>,
{
    // a task has one waker for all its life
    poll_fn(|cx| {
        outbox.interim().wake_with(cx.waker());
        Poll::Ready(())
    })
    .await;
    let mut drained = false;
    poll_fn(|cx| {
        loop {
            // one that is led back has not read its head yet, and would be closed for one that rests
            if context.closes_idle(clock.terms()) && !drained && !answering.leads_back() {
                drained = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            match Pin::new(&mut *connection).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ended::Closed),
                Poll::Ready(Err(error)) if error.is_parse() => {
                    return Poll::Ready(Ended::Malformed);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Closed),
                Poll::Pending => ready!(clock.poll_over(cx)),
            }
            if clock.park() {
                return Poll::Ready(Ended::Resting);
            }
            if !clock.looks() {
                return Poll::Ready(Ended::TimedOut);
            }
            if clock.is_quiet() && outbox.is_flushed() && answering.may_wait() {
                return Poll::Ready(Ended::Waiting);
            }
        }
    })
    .await
}
