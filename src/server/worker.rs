//! A worker thread: its own runtime, its own listeners, and everything of a connection from accept to close.

use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection;
use super::context::Context;
use crate::telemetry::metrics::ConnectionRejection;
use crate::wire::{Peer, Scheme};

/// What a connection over the limit is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// How long to wait when the system has no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// When a worker ends.
#[derive(Clone, Default)]
pub(super) struct End {
    /// Cancelled: accept nothing more, finish what runs.
    pub(super) stop: CancellationToken,
    /// Cancelled after `stop`: finish nothing.
    pub(super) cut: CancellationToken,
}

/// Runs a worker on the present thread until `end` says stop and its connections have ended, or `drain` has passed.
pub(super) fn run(
    listeners: Vec<StdListener>,
    context: impl FnOnce() -> Context,
    end: &End,
    drain: impl FnOnce() -> Duration,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let context = Rc::new(context());
        spawn_local(context.ticker.clone().run());
        spawn_local(Rc::clone(&context.gateway).follow_reloads());
        accept_all(listeners, &context, &end.stop).await?;
        let _ = end.cut.run_until_cancelled(timeout(drain(), context.drain())).await;
        // what has not ended by now is cut off with the runtime
        context.gateway.end();
        Ok(())
    })
}

/// Accepts on every listener until `stop` is cancelled.
async fn accept_all(listeners: Vec<StdListener>, context: &Rc<Context>, stop: &CancellationToken) -> io::Result<()> {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        accepting.spawn_local(accept(listener, Rc::clone(context), stop.clone()));
    }
    while accepting.join_next().await.is_some() {}
    Ok(())
}

async fn accept(listener: TcpListener, context: Rc<Context>, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, address)) => open(stream, Peer::new(address, Scheme::Http), &context),
            Err(error) => recover(&error, &context).await,
        }
    }
    // connections that the kernel has already accepted would be reset with the listener
    while let Ok(accepted) = timeout(Duration::ZERO, listener.accept()).await {
        match accepted {
            Ok((stream, address)) => open(stream, Peer::new(address, Scheme::Http), &context),
            Err(error) if is_passing(&error) => {}
            // without file descriptors the same error comes for ever
            Err(_) => break,
        }
    }
}

fn open(stream: TcpStream, peer: Peer, context: &Rc<Context>) {
    let limit = context.gateway.snapshot().server().limits.connections;
    let Some(connection) = context.open(limit) else {
        context.gateway.shard().connection_rejected(ConnectionRejection::Limit);
        // best effort: it fits into an empty socket buffer
        let _ = stream.try_write(FULL);
        return;
    };
    // without it a small answer waits for the client's acknowledgement
    let _ = stream.set_nodelay(true);
    let held = context.gateway.shard().client_connections().hold();
    let context = Rc::clone(context);
    spawn_local(async move {
        connection::serve(stream, peer, context).await;
        drop((connection, held));
    });
}

/// Whether the error is of one connection, which died in the queue.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// A connection that died in the queue is nobody's loss; without file descriptors it helps only to wait.
async fn recover(error: &io::Error, context: &Context) {
    if !is_passing(error) {
        context.gateway.shard().connection_rejected(ConnectionRejection::Accept);
        tracing::warn!(%error, "cannot accept connections; waiting a moment");
        sleep(ACCEPT_PAUSE).await;
    }
}
