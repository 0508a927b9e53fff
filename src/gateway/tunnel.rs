//! An upgraded connection: bytes go both ways until one side ends, nothing moves for too long, or it is not allowed
//! any more.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::downstream::Downstream;
use super::reauthorization::Reauthorization;
use super::record::RequestRecord;
use crate::ambient::Deadline;
use crate::telemetry::access_log::Aborted;
use crate::telemetry::metrics::GaugeGuard;
use crate::upstream::ServerLoad;

/// Both ends of an upgraded connection, before bytes flow. Dropped without [`Tunnel::run`], the upstream's end closes.
pub struct Tunnel {
    upstream: Upgraded,
    client: Option<OnUpgrade>,
    reauthorization: Reauthorization,
    record: Box<RequestRecord>,
    idle: Deadline,
    idle_after: Duration,
    _counted: (GaugeGuard, GaugeGuard, Option<ServerLoad>),
}

impl Tunnel {
    /// `counted` is the upstream's end as it is counted.
    pub(super) fn new(
        upstream: Upgraded,
        counted: (GaugeGuard, Option<ServerLoad>),
        downstream: Downstream,
        record: Box<RequestRecord>,
    ) -> Self {
        let Downstream {
            stream,
            reauthorization,
            idle,
            idle_after,
            counted: held,
            ..
        } = downstream;
        let _counted = (held, counted.0, counted.1);
        Self {
            upstream,
            client: stream,
            reauthorization,
            record,
            idle,
            idle_after,
            _counted,
        }
    }

    /// Whether the client's end is a stream of HTTP/2, and not its whole connection.
    pub fn is_stream(&self) -> bool {
        self.client.is_some()
    }

    /// Carries bytes between the upstream and a stream of HTTP/2, once the client has its answer.
    pub async fn run_stream(mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if let Ok(stream) = client.await {
            self.run(TokioIo::new(stream)).await;
        }
    }

    /// Carries bytes between the upstream and the client until the connection ends.
    pub async fn run(self, client: impl AsyncRead + AsyncWrite + Unpin) {
        let Self {
            upstream,
            reauthorization,
            mut record,
            idle,
            idle_after,
            ..
        } = self;
        idle.arm(idle_after);
        let written = Cell::new(0);
        let mut client = Watched {
            io: client,
            written: &written,
            idle: &idle,
            idle_after,
        };
        let mut upstream = TokioIo::new(upstream);
        let ended = tokio::select! {
            copied = copy_bidirectional(&mut client, &mut upstream) => copied.map(drop).map_err(|_| "the connection broke off"),
            end = reauthorization.ended() => Err(end.reason()),
            () = idle.passed() => Err("closed: nothing moved for too long"),
        };
        record.bytes = written.get();
        record.aborted = ended.is_err().then_some(Aborted::Gateway);
        record.facts.reason = ended.err().map(str::to_owned);
    }
}

/// The client's end: counts what is written to it, and moves the deadline at every sign of life.
struct Watched<'t, C> {
    io: C,
    written: &'t Cell<u64>,
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
