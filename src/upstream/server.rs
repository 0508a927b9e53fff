//! One worker's connections to one server: chooses the connection for a request.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::Response;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::Scheme;
use hyper::body::Incoming;

use super::attempt::{Again, Failed, Use};
use super::body::BodyExchange;
use super::connect::{UpstreamProtocol, connect};
use super::dial_context::DialContext;
use super::error::ForwardError;
use super::exchange::{UpstreamReply, settled};
use super::http1::Http1Reply;
use super::lease::{Carrier, ConnectionLease};
use super::origin::{Origin, Speaks};
use super::outbound::Outbound;
use super::settings::{Settings, Timeouts};
use super::single_flight::SingleFlight;
use super::state::ServerLoad;
use super::{http1, http2};
use crate::net::{Alpn, DialedStream, TlsSettings};

/// This worker's connections to one server. Nothing here is shared between threads.
pub(super) struct ServerConnections {
    origin: Origin,
    tls: Option<Arc<TlsSettings>>,
    timeouts: Timeouts,
    dial_context: Rc<DialContext>,
    idle: Rc<http1::Http1Pool>,
    shared: Rc<http2::Http2Slot>,
    gate: SingleFlight<Option<Rc<http2::SharedConnection>>>,
    /// The protocol of the last ALPN negotiation.
    agreed: Cell<Option<UpstreamProtocol>>,
}

/// Which connections will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// One that is kept, else a new one.
    Allowed,
    /// Of those for one request at a time only a new one: where one kept connection was closed, others are likely to be.
    Shunned,
}

impl ServerConnections {
    pub(super) fn new(
        origin: Origin,
        settings: &Settings,
        dial_context: &Rc<DialContext>,
    ) -> Rc<Self> {
        Rc::new(Self {
            origin,
            tls: settings.tls.clone(),
            timeouts: settings.timeouts,
            dial_context: Rc::clone(dial_context),
            idle: http1::Http1Pool::new(settings, Rc::clone(dial_context)),
            shared: http2::Http2Slot::new(settings.timeouts, Rc::clone(dial_context)),
            gate: SingleFlight::default(),
            agreed: Cell::new(None),
        })
    }

    /// The scheme of its URIs.
    pub(super) fn scheme(&self) -> Scheme {
        match self.origin.speaks() {
            Speaks::Http1 | Speaks::Http2 => Scheme::HTTP,
            Speaks::Tls => Scheme::HTTPS,
        }
    }

    /// Sends a request, and waits for the head of the answer.
    pub(super) async fn send(
        self: &Rc<Self>,
        outbound: Outbound,
        reuse: Reuse,
        load: Option<ServerLoad>,
    ) -> Result<UpstreamReply, Failed> {
        let carrier = match self.kept(&outbound, reuse) {
            Some(kept) => Ok(kept),
            // on the heap: what few requests need would make the state of all of them larger
            None => Box::pin(self.open_for(&outbound, reuse)).await,
        };
        let request = outbound.body_exchange();
        match carrier {
            Ok((Carrier::Http1(lease), used)) => match lease.exchange(outbound, used).await? {
                Http1Reply::Answer(response, lease) if has_two_lengths(&response) => {
                    let carrier = Carrier::Http1(lease);
                    Box::pin(answer_begun(response, carrier, request, load, used)).await
                }
                Http1Reply::Answer(response, lease) => {
                    answer(response, Carrier::Http1(lease), request, load, used)
                }
                Http1Reply::Switched(mut switched) => {
                    switched.load = load;
                    Ok(UpstreamReply::Switched(switched))
                }
            },
            // otherwise it would be moved once for every caller up to the connection
            Ok((Carrier::Http2(lease), used)) => {
                let scheme = self.scheme();
                let (response, lease) =
                    Box::pin(lease.exchange(outbound, used, &self.shared, scheme)).await?;
                answer(response, Carrier::Http2(lease), request, load, used)
            }
            Err(error) => Err(Failed {
                error,
                again: Again::Harmless(outbound),
                used: Use::First,
            }),
        }
    }

    /// A connection that is there already.
    fn kept(self: &Rc<Self>, outbound: &Outbound, reuse: Reuse) -> Option<(Carrier, Use)> {
        let shared = || {
            self.shared
                .take()
                .map(|lease| (Carrier::Http2(lease), Use::Further))
        };
        match (self.origin.speaks(), outbound.upgrade()) {
            (Speaks::Http1, _) | (Speaks::Tls, Some(_)) => self.idle(reuse),
            (Speaks::Http2, None) => shared(),
            (Speaks::Tls, None) => shared().or_else(|| self.idle(reuse)),
            (Speaks::Http2, Some(_)) => None,
        }
    }

    /// One for one request at a time, which no other request uses.
    fn idle(self: &Rc<Self>, reuse: Reuse) -> Option<(Carrier, Use)> {
        match reuse {
            Reuse::Allowed => self
                .idle
                .take()
                .map(|lease| (Carrier::Http1(lease), Use::Further)),
            Reuse::Shunned => None,
        }
    }

    async fn open_for(
        self: &Rc<Self>,
        outbound: &Outbound,
        reuse: Reuse,
    ) -> Result<(Carrier, Use), ForwardError> {
        match (self.origin.speaks(), outbound.upgrade()) {
            (Speaks::Http1, _) | (Speaks::Tls, Some(_)) => self.connect(Alpn::Http1).await,
            (Speaks::Tls, None) if self.agreed.get() == Some(UpstreamProtocol::Http1) => self.connect(Alpn::Http2OrHttp1).await,
            (Speaks::Http2 | Speaks::Tls, None) => self.join(reuse).await,
            (Speaks::Http2, Some(_)) => Err(ForwardError::Inexpressible(
                "the server speaks HTTP/2 only, in which no connection changes its protocol; name the server as `http://`"
                    .to_owned(),
            )),
        }
    }

    /// The shared connection. Where there is none, one is opened, however many requests ask for it; and where it then
    /// turns out that the server shares none, each gets one of its own.
    async fn join(self: &Rc<Self>, reuse: Reuse) -> Result<(Carrier, Use), ForwardError> {
        if let Some(lease) = self.shared.take() {
            return Ok((Carrier::Http2(lease), Use::Further));
        }
        let server = Rc::clone(self);
        match self.gate.pass(|| server.open_shared()).await? {
            Some(connection) => Ok((Carrier::Http2(connection.lease()), Use::First)),
            None => match self.idle(reuse) {
                Some((carrier, _)) => Ok((carrier, Use::First)),
                None => self.connect(Alpn::Http2OrHttp1).await,
            },
        }
    }

    /// Opens a connection for all requests; what turns out to be for one at a time waits for the first that takes it.
    async fn open_shared(
        self: Rc<Self>,
    ) -> Result<Option<Rc<http2::SharedConnection>>, ForwardError> {
        match self.open(Alpn::Http2OrHttp1).await? {
            (stream, UpstreamProtocol::Http2) => self.share(stream).await.map(Some),
            (stream, UpstreamProtocol::Http1) => {
                http1::open(stream, &self.idle)
                    .await?
                    .ready()
                    .await?
                    .release();
                Ok(None)
            }
        }
    }

    /// A new connection, whatever it speaks.
    async fn connect(self: &Rc<Self>, alpn: Alpn) -> Result<(Carrier, Use), ForwardError> {
        let carrier = match self.open(alpn).await? {
            (stream, UpstreamProtocol::Http1) => {
                Carrier::Http1(http1::open(stream, &self.idle).await?)
            }
            (stream, UpstreamProtocol::Http2) => Carrier::Http2(self.share(stream).await?.lease()),
        };
        Ok((carrier, Use::First))
    }

    async fn share(
        self: &Rc<Self>,
        stream: DialedStream,
    ) -> Result<Rc<http2::SharedConnection>, ForwardError> {
        let connection = http2::open(stream, &self.shared).await?;
        self.shared.put(&connection);
        Ok(connection)
    }

    async fn open(&self, alpn: Alpn) -> Result<(DialedStream, UpstreamProtocol), ForwardError> {
        let (dialer, limit) = (&self.dial_context.dialer, self.timeouts.connect);
        let tls = self.tls.as_deref();
        let (stream, protocol) = connect(dialer, &self.origin, tls, alpn, limit).await?;
        if alpn == Alpn::Http2OrHttp1 {
            self.agreed.set(Some(protocol));
        }
        Ok((stream, protocol))
    }
}

/// Whether an answer is in chunks and has a length as well: chunks count (RFC 9112, section 6.3), and the service may mean
/// the other.
fn has_two_lengths(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

/// The answer once its body has begun: what is no chunk shows before the head has gone out.
async fn answer_begun(
    response: Response<Incoming>,
    carrier: Carrier,
    request: Option<Rc<BodyExchange>>,
    load: Option<ServerLoad>,
    used: Use,
) -> Result<UpstreamReply, Failed> {
    let mut reply = answer(response, carrier, request, load, used)?;
    if let UpstreamReply::Answer(response) = &mut reply {
        let begun = response.body_mut().begin().await;
        begun.map_err(|error| Failed {
            error,
            again: Again::Never,
            used,
        })?;
    }
    Ok(reply)
}

/// The answer with its body on the leased connection; an answer with an ambiguous length is not sent again.
fn answer(
    response: Response<Incoming>,
    carrier: Carrier,
    request: Option<Rc<BodyExchange>>,
    load: Option<ServerLoad>,
    used: Use,
) -> Result<UpstreamReply, Failed> {
    settled(response, ConnectionLease::new(carrier, load), request)
        .map(UpstreamReply::Answer)
        .map_err(|error| Failed {
            error,
            again: Again::Never,
            used,
        })
}
