//! A connection of HTTP/2: agreed on in the TLS handshake, or begun without asking (RFC 9113, section 3).

use std::convert::Infallible;
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::client::Client;
use super::clock::{ConnectionClock, Running};
use super::context::Context;
use super::executor::StreamExecutor;
use super::give_up::give_up;
use super::io::ClientIo;
use super::linger::linger;
use super::outbox::Outbox;
use super::stream::Stream;
use super::timed_body::TimedBody;
use crate::config::Server;
use crate::gateway::{ClientConnection, Reply, Tunnel, handle};
use crate::telemetry::metrics::ConnectionRejection;
use crate::upstream::ClientBody;

/// What a client may send ahead on one stream, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;

/// What a client may send ahead on all streams, in bytes.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What is kept of an answer that the client does not take yet, for each stream, in bytes; up to one more piece comes on
/// top. More is not faster, and slow clients with many streams are many times that.
const SEND_BUFFER: usize = 64 << 10;

/// The same windows and buffer where memory is scarce.
const FRUGAL_WINDOWS: (u32, u32) = (64 << 10, 64 << 10);
const FRUGAL_SEND_BUFFER: usize = 16 << 10;

/// Streams that a client has taken back before they were looked at. More is an attack (CVE-2023-44487).
const MOST_PENDING_RESETS: usize = 20;

/// Streams that were reset for an error of the client's. More is an attack (RUSTSEC-2024-0003).
const MOST_ERROR_RESETS: usize = 256;

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// As HTTP has it, or by the client.
    Closed,
    /// With bytes that are no HTTP/2; the client is told what is wrong.
    Malformed,
    /// With more work than answers are worth; the client is told to calm down.
    Flood,
    /// Its time was over.
    TimedOut,
}

/// Serves a connection until it ends, its time is over, or the gateway has drained.
pub(super) async fn serve(
    stream: Stream,
    client: Client,
    clock: Rc<ConnectionClock>,
    context: &Rc<Context>,
) {
    clock.expect_preface();
    let snapshot = context.gateway.snapshot();
    let executor = StreamExecutor::new(context.ticker.clone(), snapshot.server().timeouts.body);
    let http = builder(snapshot.server(), executor.clone(), context.room.frugal);
    drop(snapshot);
    let peer = Rc::new(ClientConnection::new(client.peer(), clock.terms().trust));
    let mut io = ClientIo::new(stream, Rc::clone(&clock), Rc::new(Outbox::new()));
    let ended = {
        let service = service_fn(|request: Request<Incoming>| {
            let running = clock.begin(&request.body().size_hint());
            let (context, peer, handover) =
                (Rc::clone(context), Rc::clone(&peer), executor.announce());
            let body = |incoming| ClientBody::http2(incoming, &context.ticker);
            let request = Box::new(request.map(body));
            async move {
                // on the heap at once: on its way to its task, hyper moves a stream's state half a dozen times
                let Reply {
                    response, tunnel, ..
                } = Box::pin(handle(&context.gateway, request, None, &peer)).await;
                let running = match tunnel {
                    None => Some(running),
                    Some(tunnel) => {
                        spawn_local(carry(tunnel, running));
                        None
                    }
                };
                Ok::<_, Infallible>(
                    response.map(|body| TimedBody::new(body, running, Some(handover))),
                )
            }
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(&mut io), service));
        drive(
            connection.as_mut(),
            |connection| connection.graceful_shutdown(),
            &clock,
            context,
        )
        .await
    };
    leave(ended, io.into_stream(), client, &clock, context).await;
}

/// Carries what comes behind the answer to an extended CONNECT; the connection does not rest for as long.
async fn carry(tunnel: Box<Tunnel>, running: Running) {
    tunnel.run_stream().await;
    drop(running);
}

async fn leave(
    ended: Ended,
    stream: Stream,
    client: Client,
    clock: &ConnectionClock,
    context: &Context,
) {
    let reason = match ended {
        Ended::Closed => return,
        Ended::TimedOut => return give_up(stream, client, clock, context).await,
        Ended::Malformed => ConnectionRejection::Malformed,
        Ended::Flood => ConnectionRejection::Flood,
    };
    context.rejections.note(reason, client.ip());
    linger(stream, &context.ticker).await;
}

/// How streams are read.
fn builder(
    server: &Server,
    executor: StreamExecutor,
    frugal: bool,
) -> http2::Builder<StreamExecutor> {
    let ((stream_window, connection_window), send_buffer) = if frugal {
        (FRUGAL_WINDOWS, FRUGAL_SEND_BUFFER)
    } else {
        ((STREAM_WINDOW, CONNECTION_WINDOW), SEND_BUFFER)
    };
    let limits = &server.limits;
    let mut builder = http2::Builder::new(executor);
    builder
        .max_concurrent_streams(u32::try_from(limits.streams).unwrap_or(u32::MAX))
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
        .max_local_error_reset_streams(MOST_ERROR_RESETS)
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_send_buf_size(send_buffer)
        .enable_connect_protocol();
    builder
}

/// Polls the connection; looks at the clock and at the drain only when it has nothing to do. A connection that has
/// rested for long enough, and one of a gateway that drains, is told to open no more streams, and then ends by itself.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    clock: &ConnectionClock,
    context: &Context,
) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut closing = false;
    poll_fn(|cx| {
        loop {
            if context.ends(clock.terms()) && !closing {
                closing = true;
                shut_down(connection.as_mut());
                clock.close_soon();
            }
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(
                    result.map_or_else(|error| ended_by(&error), |()| Ended::Closed),
                );
            }
            if clock.poll_over(cx).is_pending() {
                return Poll::Pending;
            }
            if closing || !clock.rests() {
                return Poll::Ready(Ended::TimedOut);
            }
            closing = true;
            shut_down(connection.as_mut());
            clock.close_soon();
        }
    })
    .await
}

/// Whose fault it was, where it was a fault.
fn ended_by(error: &hyper::Error) -> Ended {
    let error = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>());
    match error
        .filter(|error| error.is_library())
        .and_then(h2::Error::reason)
    {
        None | Some(h2::Reason::NO_ERROR) => Ended::Closed,
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Ended::Flood,
        Some(_) => Ended::Malformed,
    }
}
