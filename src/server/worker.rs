//! A worker thread: its own runtime, its own listeners, and everything of a connection from accept to close.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::client::Accepted;
use super::connection;
use super::context::Context;
use super::linger::linger_after;
use super::listen::{Accepting, Listener, Owner};
use super::watchdog::WatchdogReply;
use crate::ambient;
use crate::gateway::Snapshot;
use crate::telemetry::metrics::ConnectionRejection;

/// The response to a connection over the limit.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// How long to wait when the system has no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Signals the end of the workers.
#[derive(Clone, Default)]
pub(super) struct WorkerShutdown {
    /// Cancelled: accept nothing more, finish what runs.
    pub(super) stop: CancellationToken,
    /// Cancelled after `stop`: finish nothing.
    pub(super) cut: CancellationToken,
}

/// Runs a worker on the present thread until `end` says stop and its connections have ended, or `drain` has passed.
pub(super) fn run(
    listeners: Vec<Listener>,
    context: impl FnOnce() -> Context,
    watchdog: Option<WatchdogReply>,
    end: &WorkerShutdown,
    drain: impl FnOnce() -> Duration,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let context = Rc::new(context());
        spawn_local(context.ticker.clone().run());
        let following = Rc::clone(&context);
        spawn_local(async move {
            let follow = |snapshot: &Snapshot| following.follow(snapshot);
            following.gateway.follow_reloads(follow).await;
        });
        if let Some(watchdog) = watchdog {
            spawn_local(watchdog.run());
        }
        accept_all(listeners, &context, &end.stop).await?;
        let _ = end
            .cut
            .run_until_cancelled(timeout(drain(), context.drain()))
            .await;
        // what has not ended by now is cut off with the runtime
        context.gateway.end();
        Ok(())
    })
}

/// Accepts on every listener until `stop` is cancelled.
async fn accept_all(
    listeners: Vec<Listener>,
    context: &Rc<Context>,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let owner = listener.owner();
        accepting.spawn_local(accept(
            listener.register()?,
            owner,
            Rc::clone(context),
            stop.clone(),
        ));
    }
    while accepting.join_next().await.is_some() {}
    Ok(())
}

async fn accept(listener: Accepting, owner: Owner, context: Rc<Context>, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok(accepted) => open(accepted, &context).await,
            Err(error) => recover(&error, &context).await,
        }
    }
    match owner {
        Owner::Gateway => accept_rest(&listener, &context).await,
        // the next gateway will
        Owner::Manager => {}
    }
}

/// Connections that the kernel has already accepted would be reset with the listener.
async fn accept_rest(listener: &Accepting, context: &Rc<Context>) {
    while let Ok(accepted) = timeout(Duration::ZERO, listener.accept()).await {
        match accepted {
            Ok(accepted) => open(accepted, context).await,
            Err(error) if is_passing(&error) => {}
            // without file descriptors the same error comes for ever
            Err(_) => break,
        }
    }
}

async fn open(accepted: Accepted, context: &Rc<Context>) {
    let configured = context.gateway.snapshot().server().limits.connections;
    let limit = context.room.capacity.connections(configured);
    let Some(connection) = context.open(limit) else {
        return turn_away(accepted, context).await;
    };
    let held = context.gateway.shard().client_connections().hold();
    let context = Rc::clone(context);
    spawn_local(async move {
        connection::serve(accepted, context).await;
        drop((connection, held));
    });
}

/// Refuses a connection over the limit. It is told why, unless TLS would have to be spoken first.
async fn turn_away(Accepted { stream, address }: Accepted, context: &Rc<Context>) {
    context
        .gateway
        .shard()
        .connection_rejected(ConnectionRejection::Limit);
    if let Some(suppressed) = context.room.full.ask(ambient::now()) {
        let (client_ip, reason) = (
            address.ip().to_canonical(),
            ConnectionRejection::Limit.label(),
        );
        tracing::warn!(event = "connection_rejected", reason, %client_ip, suppressed,
            "as many connections are open as may be: more get 503");
    }
    if context.tls_of(&stream).is_none() {
        let ticker = context.ticker.clone();
        let lingering = async move { linger_after(stream, FULL, &ticker).await };
        context.turned_away.add(lingering).await;
    }
}

/// Whether the error is of one connection, which died in the queue.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

/// A connection that died in the queue is nobody's loss; without file descriptors it helps only to wait.
async fn recover(error: &io::Error, context: &Context) {
    if !is_passing(error) {
        context
            .gateway
            .shard()
            .connection_rejected(ConnectionRejection::Accept);
        if let Some(suppressed) = context.room.full.ask(ambient::now()) {
            tracing::warn!(%error, suppressed, "cannot accept connections; waiting a moment");
        }
        sleep(ACCEPT_PAUSE).await;
    }
}
