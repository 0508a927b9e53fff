//! An upgraded connection: bytes go both ways until one side ends, nothing moves for too long, or it is not allowed
//! any more.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::downstream::Downstream;
use super::reauthorization::Reauthorization;
use super::record::RequestRecord;
use super::relay::{Relay, RelayBuffer};
use super::websocket::{NOT_ALLOWED, SentFrames};
use crate::ambient::Deadline;
use crate::telemetry::access_log::Aborted;
use crate::telemetry::metrics::GaugeGuard;
use crate::upstream::{AnswerFirst, ServerLoad};

/// Both ends of an upgraded connection, before bytes flow. Dropped without [`Tunnel::run`], the upstream's end closes.
pub struct Tunnel {
    upstream: AnswerFirst,
    client: Option<OnUpgrade>,
    reauthorization: Reauthorization,
    record: Box<RequestRecord>,
    idle: Deadline,
    idle_after: Duration,
    /// Set for a WebSocket.
    frames: Option<RefCell<SentFrames>>,
    buffer: Rc<RelayBuffer>,
    _counted: (GaugeGuard, GaugeGuard, Option<ServerLoad>),
}

/// How long a client may take to end its side of a WebSocket that was closed.
const CLOSING: Duration = Duration::from_secs(1);

impl Tunnel {
    /// `counted` is the upstream's end as it is counted.
    pub(super) fn new(
        upstream: AnswerFirst,
        counted: (GaugeGuard, Option<ServerLoad>),
        downstream: Downstream,
        record: Box<RequestRecord>,
    ) -> Self {
        let Downstream {
            upgrade,
            protocol: _,
            stream,
            reauthorization,
            idle,
            idle_after,
            counted: held,
            buffer,
        } = downstream;
        let protocol = upgrade.protocol.as_bytes();
        let is_websocket = protocol.eq_ignore_ascii_case(b"websocket");
        let _counted = (held, counted.0, counted.1);
        Self {
            upstream,
            client: stream,
            reauthorization,
            record,
            idle,
            idle_after,
            frames: is_websocket.then(RefCell::default),
            buffer,
            _counted,
        }
    }

    /// Whether the client's end is a stream of HTTP/2, and not its whole connection.
    pub fn is_stream(&self) -> bool {
        self.client.is_some()
    }

    /// Carries bytes between the upstream and a stream of HTTP/2, once the client has its answer.
    pub async fn run_stream(mut self: Box<Self>) {
        let Some(client) = self.client.take() else {
            return;
        };
        if let Ok(stream) = client.await {
            self.run(TokioIo::new(stream)).await;
        }
    }

    /// Carries bytes between the upstream and the client until the connection ends.
    pub async fn run(self: Box<Self>, client: impl AsyncRead + AsyncWrite + Unpin) {
        let Self {
            mut upstream,
            reauthorization,
            mut record,
            idle,
            idle_after,
            frames,
            buffer,
            _counted,
            client: _,
        } = *self;
        idle.arm(idle_after);
        let written = Cell::new(0);
        let mut client = Watched {
            io: client,
            written: &written,
            frames: frames.as_ref(),
            idle: &idle,
            idle_after,
        };
        let (reason, is_refused) = tokio::select! {
            relayed = relay(&mut client, &mut upstream, &buffer) => (relayed.err().map(|_| "the connection broke off"), false),
            end = reauthorization.ended() => (Some(end.reason()), true),
            () = idle.passed() => (Some("closed: nothing moved for too long"), false),
        };
        record.bytes = written.get();
        record.aborted = reason.map(|_| Aborted::Gateway);
        record.facts.reason = reason.map(str::to_owned);
        drop((record, upstream));
        let may_be_told = |frames: &RefCell<SentFrames>| frames.borrow().may_be_closed();
        if is_refused && frames.as_ref().is_some_and(may_be_told) {
            idle.arm(CLOSING);
            tokio::select! {
                () = say_not_allowed(client.io) => {}
                () = idle.passed() => {}
            }
        }
    }
}

/// Passes bytes on, both ways, until both sides have ended.
async fn relay(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    upstream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    buffer: &RelayBuffer,
) -> io::Result<()> {
    let (mut up, mut down) = (Relay::default(), Relay::default());
    poll_fn(|cx| {
        buffer.lend(|buffer| {
            let up = up.poll(cx, client, upstream, buffer)?;
            let down = down.poll(cx, upstream, client, buffer)?;
            if up.is_ready() && down.is_ready() {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
    })
    .await
}

/// Tells the client of a WebSocket why it ends, and takes in what it has sent meanwhile: closing at once would reset the
/// connection, and could take the word back.
async fn say_not_allowed(mut client: impl AsyncRead + AsyncWrite + Unpin) {
    if client.write_all(NOT_ALLOWED).await.is_err() || client.shutdown().await.is_err() {
        return;
    }
    let mut thrown_away = vec![0; 4096];
    while client
        .read(&mut thrown_away)
        .await
        .is_ok_and(|length| length > 0)
    {}
}

/// The client's end: counts what is written to it, and moves the deadline at every sign of life.
struct Watched<'t, C> {
    io: C,
    written: &'t Cell<u64>,
    frames: Option<&'t RefCell<SentFrames>>,
    idle: &'t Deadline,
    idle_after: Duration,
}

impl<C> Watched<'_, C> {
    fn alive(&self) {
        self.idle.arm(self.idle_after);
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Watched<'_, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if polled.is_ready() {
            self.alive();
        }
        polled
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Watched<'_, C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(length)) = polled {
            self.written.set(self.written.get() + length as u64);
            if let Some(frames) = self.frames {
                frames.borrow_mut().sent(&buf[..length]);
            }
            self.alive();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
