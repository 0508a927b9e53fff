//! One client connection, from accept to close: who it is, what it speaks, and who serves it then.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Poll;

use tokio_rustls::TlsAcceptor;

use super::client::{Accepted, Client, ClientProtocol, Failure};
use super::clock::{ConnectionClock, PREFACE, Phase};
use super::context::Context;
use super::give_up::give_up;
use super::stream::Stream;
use super::{http1, http2, proxy_protocol, tls};
use crate::ambient::Deadline;
use crate::config::Server;
use crate::telemetry::metrics::ConnectionRejection;
use crate::wire::Scheme;

/// As many bytes of a connection in the clear as tell HTTP/2 from every request of HTTP/1.1 (RFC 9113, section 3.4).
const TELLING: usize = 4;

/// Serves a connection until it ends, its time is over, or the gateway has drained.
pub(super) async fn serve(accepted: Accepted, context: Rc<Context>) {
    // on the heap, as everything that is over before the connection rests for the first time
    let Some(Begun {
        stream,
        client,
        clock,
        protocol,
    }) = Box::pin(begin(accepted, &context)).await
    else {
        return;
    };
    match protocol {
        ClientProtocol::Http1 => http1::serve(stream, client, clock, &context).await,
        ClientProtocol::Http2 => Box::pin(http2::serve(stream, client, clock, &context)).await,
    }
}

/// A connection that has got as far as HTTP.
struct Begun {
    stream: Stream,
    client: Client,
    clock: Rc<ConnectionClock>,
    protocol: ClientProtocol,
}

/// Everything that comes before HTTP. `None` where the connection has ended.
async fn begin(accepted: Accepted, context: &Context) -> Option<Begun> {
    let snapshot = context.gateway.snapshot();
    let tls = context.tls_of(&accepted.stream);
    let introduced = if proxy_protocol::due(snapshot.server(), accepted.address.ip()).is_some()
        || tls.is_some()
    {
        Box::pin(introduce(accepted, tls, snapshot.server(), context)).await?
    } else {
        Introduced {
            client: Client::direct(accepted.address, Scheme::Http),
            stream: accepted.stream,
            protocol: None,
        }
    };
    let Introduced {
        mut stream,
        client,
        protocol,
    } = introduced;
    let clock = Rc::new(ConnectionClock::start(
        &context.ticker,
        context.terms(&snapshot),
    ));
    drop(snapshot);
    let protocol = match protocol {
        Some(protocol) => protocol,
        None => match detect(&mut stream, &clock, context).await {
            Ok(protocol) => protocol,
            Err(Undetected::Gone) => return None,
            Err(Undetected::TimedOut) => {
                Box::pin(give_up(stream, client, &clock, context)).await;
                return None;
            }
        },
    };
    Some(Begun {
        stream,
        client,
        clock,
        protocol,
    })
}

/// A connection whose client is identified.
struct Introduced {
    stream: Stream,
    client: Client,
    /// `None` where its first bytes tell.
    protocol: Option<ClientProtocol>,
}

/// What comes before HTTP: the word of a proxy about its client, and TLS. `None` where the connection has ended.
async fn introduce(
    Accepted {
        mut stream,
        address,
    }: Accepted,
    tls: Option<TlsAcceptor>,
    server: &Server,
    context: &Context,
) -> Option<Introduced> {
    let deadline = context.ticker.deadline();
    deadline.arm(server.timeouts.handshake);
    let mut introduction = None;
    if let Some(settings) = proxy_protocol::due(server, address.ip()) {
        match in_time(&deadline, context, proxy_protocol::read(&mut stream)).await {
            Ok(found) => introduction = Some((found, settings)),
            Err(failure) => {
                context.reject(ConnectionRejection::ProxyProtocol, address.ip(), failure);
                return None;
            }
        }
    }
    let client = |connection| match introduction {
        Some((found, settings)) => Client::introduced(address, found, connection, settings),
        None => Client::direct(address, connection),
    };
    let Some(acceptor) = tls else {
        return Some(Introduced {
            stream,
            client: client(Scheme::Http),
            protocol: None,
        });
    };
    match in_time(
        &deadline,
        context,
        tls::accept(stream, acceptor, &context.ticker),
    )
    .await
    {
        Ok((stream, protocol)) => Some(Introduced {
            stream,
            client: client(Scheme::Https),
            protocol: Some(protocol),
        }),
        Err(failure) => {
            let for_another = introduction.is_some_and(|(found, _)| found.is_another_than(address));
            let failure = if !for_another && proxy_protocol::is_trusted(server, address.ip()) {
                failure.of_check()
            } else {
                failure
            };
            let client = client(Scheme::Https).ip();
            context.reject(ConnectionRejection::Handshake, client, failure);
            None
        }
    }
}

async fn in_time<T>(
    deadline: &Deadline,
    context: &Context,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // a drain wakes everybody who waits for a deadline
    let over = poll_fn(|cx| {
        if context.closes_all_idle() {
            return Poll::Ready(Failure::Gone);
        }
        deadline
            .poll_passed(cx)
            .map(|()| Failure::Refused(io::ErrorKind::TimedOut.into()))
    });
    tokio::select! {
        done = step => done,
        failure = over => Err(failure),
    }
}

/// Why the protocol of a client is not detected.
enum Undetected {
    /// It ended, or the gateway ends, before the first byte.
    Gone,
    TimedOut,
}

/// Looks at the first bytes, and leaves them to be read again: it costs HTTP/1.1 no system call.
async fn detect(
    stream: &mut Stream,
    clock: &ConnectionClock,
    context: &Context,
) -> Result<ClientProtocol, Undetected> {
    let over = poll_fn(|cx| {
        if context.closes_idle(clock.terms()) && clock.phase() == Phase::Fresh {
            return Poll::Ready(Undetected::Gone);
        }
        clock.poll_over(cx).map(|()| Undetected::TimedOut)
    });
    tokio::select! {
        detected = look(stream, clock) => detected.map_err(|_| Undetected::Gone),
        undetected = over => Err(undetected),
    }
}

async fn look(stream: &mut Stream, clock: &ConnectionClock) -> io::Result<ClientProtocol> {
    let mut first = stream.read_ahead().await?;
    clock.received(first.len());
    while first.len() < TELLING && PREFACE.starts_with(&first) && !first.is_empty() {
        let more = stream.read_ahead().await?;
        if more.is_empty() {
            break;
        }
        first.unsplit(more);
    }
    let protocol = if first.starts_with(&PREFACE[..TELLING]) {
        ClientProtocol::Http2
    } else {
        ClientProtocol::Http1
    };
    stream.unread(first.freeze());
    Ok(protocol)
}

impl Context {
    fn reject(&self, reason: ConnectionRejection, client: IpAddr, failure: Failure) {
        match failure {
            Failure::Gone => {}
            Failure::Refused(error) => {
                self.rejections
                    .note_with(reason, client.to_canonical(), Some(&error))
            }
        }
    }
}
