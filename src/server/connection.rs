//! One client connection, from accept to close: who it is, what it speaks, and who serves it then.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use tokio_rustls::TlsAcceptor;

use super::clock::{ConnectionClock, PREFACE, Phase};
use super::context::Context;
use super::farewell::{farewell, hang_up};
use super::stream::Stream;
use super::{http1, http2, proxy_protocol, tls};
use crate::ambient::Deadline;
use crate::config::Server;
use crate::telemetry::metrics::ConnectionRejection;
use crate::wire::{Peer, Scheme};

/// As many bytes of a connection in the clear as tell HTTP/2 from every request of HTTP/1.1 (RFC 9113, section 3.4).
const TELLING: usize = 4;

/// An accepted connection.
pub(super) struct Accepted {
    pub(super) stream: Stream,
    /// The other end of the socket; who the client is may be another matter.
    pub(super) address: std::net::SocketAddr,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 or HTTP/1.0.
    Http1,
    /// HTTP/2, with or without TLS.
    Http2,
}

/// Serves a connection until it ends, its time is over, or the gateway has drained.
pub(super) async fn serve(accepted: Accepted, context: Rc<Context>) {
    let snapshot = context.gateway.snapshot();
    let tls = context.tls_of(&accepted.stream);
    let accepted = if proxy_protocol::is_due(snapshot.server(), accepted.address.ip()) || tls.is_some() {
        Box::pin(introduce(accepted, tls, snapshot.server(), &context)).await
    } else {
        Some(Introduced { peer: Peer::new(accepted.address, Scheme::Http), stream: accepted.stream, protocol: None })
    };
    let Some(Introduced { mut stream, peer, protocol }) = accepted else { return };
    let clock = Rc::new(ConnectionClock::start(&context.ticker, snapshot.server().timeouts));
    drop(snapshot);
    let protocol = match protocol {
        Some(protocol) => protocol,
        None => match detect(&mut stream, &clock, &context).await {
            Ok(protocol) => protocol,
            Err(Undetected::Gone) => return,
            Err(Undetected::TimedOut) => return give_up(stream, &peer, &clock, &context).await,
        },
    };
    match protocol {
        Protocol::Http1 => http1::serve(stream, peer, clock, &context).await,
        Protocol::Http2 => Box::pin(http2::serve(stream, peer, clock, &context)).await,
    }
}

/// A connection whose client is known.
struct Introduced {
    stream: Stream,
    peer: Peer,
    /// `None` where its first bytes tell.
    protocol: Option<Protocol>,
}

/// What comes before HTTP: the word of a proxy about its client, and TLS. `None` where the connection has ended.
async fn introduce(
    Accepted { mut stream, address }: Accepted,
    tls: Option<TlsAcceptor>,
    server: &Server,
    context: &Context,
) -> Option<Introduced> {
    let deadline = context.ticker.deadline();
    deadline.arm(server.timeouts.handshake);
    let mut client = address;
    if proxy_protocol::is_due(server, address.ip()) {
        match in_time(&deadline, context, proxy_protocol::read(&mut stream)).await {
            Ok(Some(source)) => client = source,
            Ok(None) => {}
            Err(failure) => {
                context.reject(ConnectionRejection::ProxyProtocol, address.ip(), failure);
                return None;
            }
        }
    }
    let Some(acceptor) = tls else {
        return Some(Introduced { stream, peer: Peer::new(client, Scheme::Http), protocol: None });
    };
    match in_time(&deadline, context, tls::accept(stream, acceptor, &context.ticker)).await {
        Ok((stream, protocol)) => {
            Some(Introduced { stream, peer: Peer::new(client, Scheme::Https), protocol: Some(protocol) })
        }
        Err(failure) => {
            context.reject(ConnectionRejection::Handshake, client.ip(), failure);
            None
        }
    }
}

/// Why a connection does not get as far as HTTP.
pub(super) enum Failure {
    /// It ended before it had begun, as the checks of load balancers do, or the gateway ends.
    Gone,
    /// What it said, or did not say in time.
    Refused(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

async fn in_time<T>(
    deadline: &Deadline,
    context: &Context,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // a drain wakes everybody who waits for a deadline
    let over = poll_fn(|cx| {
        if context.closes_idle() {
            return Poll::Ready(Failure::Gone);
        }
        deadline.poll_passed(cx).map(|()| Failure::Refused(io::ErrorKind::TimedOut.into()))
    });
    tokio::select! {
        done = step => done,
        failure = over => Err(failure),
    }
}

/// Why it is not known what a client speaks.
enum Undetected {
    /// It ended, or the gateway ends before it has said anything.
    Gone,
    TimedOut,
}

/// Looks at the first bytes, and leaves them to be read again: it costs HTTP/1.1 no system call.
async fn detect(stream: &mut Stream, clock: &ConnectionClock, context: &Context) -> Result<Protocol, Undetected> {
    let over = poll_fn(|cx| {
        if context.closes_idle() && clock.phase() == Phase::Fresh {
            return Poll::Ready(Undetected::Gone);
        }
        clock.poll_over(cx).map(|()| Undetected::TimedOut)
    });
    tokio::select! {
        detected = look(stream, clock) => detected.map_err(|_| Undetected::Gone),
        undetected = over => Err(undetected),
    }
}

async fn look(stream: &mut Stream, clock: &ConnectionClock) -> io::Result<Protocol> {
    let mut first = stream.read_ahead().await?;
    clock.received(first.len());
    while first.len() < TELLING && PREFACE.starts_with(&first) && !first.is_empty() {
        let more = stream.read_ahead().await?;
        if more.is_empty() {
            break;
        }
        first.unsplit(more);
    }
    let protocol = if first.starts_with(&PREFACE[..TELLING]) { Protocol::Http2 } else { Protocol::Http1 };
    stream.unread(first.freeze());
    Ok(protocol)
}

/// Ends a connection whose time is over. Where the client is late with something, this is counted, and where it waits
/// for an answer, it is told so.
pub(super) async fn give_up(stream: Stream, peer: &Peer, clock: &ConnectionClock, context: &Context) {
    if clock.rests() {
        // it has done nothing wrong
        return hang_up(stream).await;
    }
    context.rejections.note(ConnectionRejection::Timeout, peer.address());
    if clock.phase() == Phase::Head {
        Box::pin(farewell(stream, http1::TOO_SLOW, &context.ticker)).await;
    }
}

impl Context {
    fn reject(&self, reason: ConnectionRejection, client: std::net::IpAddr, failure: Failure) {
        match failure {
            Failure::Gone => {}
            Failure::Refused(error) => self.rejections.note_with(reason, client.to_canonical(), Some(&error)),
        }
    }
}
