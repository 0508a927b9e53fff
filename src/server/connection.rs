//! One client connection, from accept to close.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clock::{ConnectionClock, Phase};
use super::context::Context as WorkerContext;
use super::io::ClientIo;
use crate::ambient::Ticker;
use crate::config::ServerLimits;
use crate::gateway::{ReplyBody, handle};
use crate::telemetry::metrics::ConnectionRejection;
use crate::wire::Peer;

/// What a head that did not come in time is told.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The most that is read ahead of what is passed on, in bytes, unless heads may be larger.
const READ_AHEAD: usize = 64 * 1024;

/// How long a client may go on sending a body that nobody wants.
const LINGER: Duration = Duration::from_secs(2);

/// How a connection ended.
enum Ended {
    /// As HTTP has it, or by the client.
    Closed,
    /// With bytes that are no request; hyper has answered 400, 414 or 431 where it could.
    Malformed,
    /// Its time was over.
    TimedOut,
}

/// Serves a connection until it ends, its time is over, or the gateway has drained.
pub(super) async fn serve(stream: TcpStream, peer: Peer, context: Rc<WorkerContext>) {
    let snapshot = context.gateway.snapshot();
    let clock = Rc::new(ConnectionClock::start(&context.ticker, snapshot.server().timeouts));
    let http = builder(&snapshot.server().limits);
    drop(snapshot);
    let io = TokioIo::new(ClientIo::new(stream, Rc::clone(&clock)));
    let service = service_fn(|request: Request<Incoming>| {
        clock.asked(&request.body().size_hint());
        let (context, clock, peer) = (Rc::clone(&context), Rc::clone(&clock), &peer);
        async move {
            let mut response = handle(&context.gateway, request, peer).await;
            if context.drains() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| TimedBody { body, clock }))
        }
    });
    let mut connection = http.serve_connection(io, service);
    let ended = drive(&mut connection, &clock, &context).await;
    let io = connection.into_parts().io.into_inner();
    match ended {
        Ended::Closed if clock.sending() => Box::pin(linger(io.into_stream(), &context.ticker)).await,
        Ended::Closed => {}
        Ended::Malformed => {
            context.gateway.shard().connection_rejected(ConnectionRejection::Malformed);
            Box::pin(linger(io.into_stream(), &context.ticker)).await;
        }
        Ended::TimedOut => time_out(io, &clock, &context),
    }
}

/// Throws away what a client goes on sending after its answer. Closing at once would reset the connection, and the
/// reset can overtake the answer (RFC 9112, section 9.6).
async fn linger(mut stream: TcpStream, ticker: &Ticker) {
    let deadline = ticker.deadline();
    deadline.arm(LINGER);
    let mut thrown_away = vec![0; READ_AHEAD];
    let drain = async {
        // hyper has done so, but for the preface of HTTP/2
        let _ = stream.shutdown().await;
        while stream.read(&mut thrown_away).await.is_ok_and(|length| length > 0) {}
    };
    tokio::select! {
        () = drain => {}
        () = deadline.passed() => {}
    }
}

/// How requests are read.
fn builder(limits: &ServerLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(true)
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(READ_AHEAD));
    builder
}

/// Polls the connection; looks at the clock and at the drain only when it has nothing to do.
async fn drive<S, F>(
    connection: &mut http1::Connection<TokioIo<ClientIo>, S>,
    clock: &ConnectionClock,
    context: &WorkerContext,
) -> Ended
where
    S: hyper::service::HttpService<Incoming, ResBody = TimedBody, Error = Infallible, Future = F> + Unpin,
    F: Future,
    http1::Connection<TokioIo<ClientIo>, S>: Future<Output = hyper::Result<()>> + Unpin,
{
    let mut drained = false;
    poll_fn(|cx| {
        if context.closes_idle() && !drained {
            drained = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        match Pin::new(&mut *connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ended::Closed),
            Poll::Ready(Err(error)) if error.is_parse() => Poll::Ready(Ended::Malformed),
            Poll::Ready(Err(_)) => Poll::Ready(Ended::Closed),
            Poll::Pending => clock.poll_over(cx).map(|()| Ended::TimedOut),
        }
    })
    .await
}

/// Counts a timeout where the client is late with something, and says so where it is waiting for an answer.
fn time_out(io: ClientIo, clock: &ConnectionClock, context: &WorkerContext) {
    match clock.phase() {
        // an idle connection has done nothing wrong
        Phase::Idle if !clock.stalled() => return,
        Phase::Head => {
            // best effort: a client that is this slow may not read either
            let _ = io.into_stream().try_write(TOO_SLOW);
        }
        Phase::Fresh | Phase::Busy | Phase::Idle => {}
    }
    context.gateway.shard().connection_rejected(ConnectionRejection::Timeout);
}

/// A reply that tells the connection's clock when it is over.
struct TimedBody {
    body: ReplyBody,
    clock: Rc<ConnectionClock>,
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = <ReplyBody as Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.clock.answered();
    }
}
