//! Sockets: a few short connections.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::AdminState;
use super::answer::answer;

/// What connections may take up.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time; further ones wait in the kernel's queue. A probe and a few scrapers need no more.
    pub(super) connections: usize,
    /// From accept, or the end of an answer, to the end of a request head.
    pub(super) header: Duration,
    /// The life of a connection; after it a running answer is finished and nothing more.
    pub(super) lifetime: Duration,
    /// How long a last answer may take.
    pub(super) finish: Duration,
}

const LIMITS: Limits = Limits {
    connections: 64,
    header: Duration::from_secs(10),
    lifetime: Duration::from_secs(60),
    finish: Duration::from_secs(5),
};

/// How long to wait when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is cancelled, and then finishes running answers, for 5 s at most. It must run on a tokio
/// runtime with time and I/O.
///
/// # Errors
/// Where the listener cannot be used at all. Errors of single connections are theirs.
pub async fn serve(
    listener: std::net::TcpListener,
    state: AdminState,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_within(LIMITS, listener, state, shutdown).await
}

pub(super) async fn serve_within(
    limits: Limits,
    listener: std::net::TcpListener,
    state: AdminState,
    shutdown: CancellationToken,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    while let Some((stream, from)) = next(&listener, &mut connections, limits, &shutdown).await {
        connections.spawn(serve_connection(
            limits,
            stream,
            from.ip(),
            state.clone(),
            shutdown.clone(),
        ));
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The next connection, as soon as there is room for it; `None` at the end.
async fn next(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < limits.connections => match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an admin connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn serve_connection(
    limits: Limits,
    stream: TcpStream,
    from: IpAddr,
    state: AdminState,
    shutdown: CancellationToken,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let state = &state;
        async move { Ok::<_, Infallible>(answer(request, from, state).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(50)
        .max_buf_size(16 << 10);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // its errors are the client's: bytes that are no HTTP, a connection that broke
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.cancelled() => {}
        () = sleep(limits.lifetime) => {}
    }
    Pin::as_mut(&mut connection).graceful_shutdown();
    let _ = timeout(limits.finish, connection).await;
}
