//! TLS towards clients: one long-lived configuration whose certificate is exchanged in place, so that clients resume
//! their sessions over a reload.

use std::sync::{Arc, PoisonError, RwLock};
use std::{fmt, io};

use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio_rustls::TlsAcceptor;

use super::client::{ClientProtocol, Failure};
use super::linger::{linger, linger_after};
use super::stream::Stream;
use crate::ambient::Ticker;
use crate::config::{ClientCa, ServerTls};

/// What a request in the clear is told.
const PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 33\r\n\r\nThis port speaks HTTPS, not HTTP\n";

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The TLS of all listeners. A reload changes what new connections get; those that are open go on.
pub(super) struct ListenerTls {
    certificate: Arc<Certificate>,
    present: RwLock<CurrentTls>,
}

struct CurrentTls {
    config: Arc<ServerConfig>,
    client_ca: Option<ClientCa>,
}

/// The certificate in force.
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl ListenerTls {
    pub(super) fn new(settings: &ServerTls) -> Self {
        let certificate = Arc::new(Certificate(RwLock::new(Arc::clone(&settings.certified))));
        let present = CurrentTls::new(&certificate, settings.client_ca.clone());
        Self {
            certificate,
            present: RwLock::new(present),
        }
    }

    /// What a new connection is accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        // nothing can panic while the lock is held, so a poisoned one is sound
        Arc::clone(
            &self
                .present
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .config,
        )
        .into()
    }

    /// Puts other key material in force. Sessions can be resumed over it, unless other clients are to be let in: a
    /// ticket stands for the certificate that its client showed once.
    pub(super) fn replace(&self, settings: &ServerTls) {
        *self
            .certificate
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(&settings.certified);
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        if present.client_ca != settings.client_ca {
            *present = CurrentTls::new(&self.certificate, settings.client_ca.clone());
        }
    }
}

impl CurrentTls {
    fn new(certificate: &Arc<Certificate>, client_ca: Option<ClientCa>) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .expect("the provider has cipher suites for both versions");
        let verifier = client_ca.as_ref().map(ClientCa::verifier);
        let mut config = builder
            .with_client_cert_verifier(verifier.unwrap_or_else(|| Arc::new(NoClientAuth)))
            .with_cert_resolver(Arc::clone(certificate) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        // without randomness there are no tickets; sessions are then not resumed
        if let Ok(ticketer) = Ticketer::new() {
            config.ticketer = ticketer;
        }
        Self {
            config: Arc::new(config),
            client_ca,
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.0.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

/// Shakes hands, and says what the client has chosen to speak.
pub(super) async fn accept(
    mut stream: Stream,
    acceptor: TlsAcceptor,
    ticker: &Ticker,
) -> Result<(Stream, ClientProtocol), Failure> {
    let first = stream.read_ahead().await.map_err(Failure::at_start)?;
    match first.first() {
        None => return Err(Failure::Gone),
        // a handshake begins with 22; no method of HTTP does (RFC 8446, section 5.1)
        Some(byte) if byte.is_ascii_uppercase() => {
            linger_after(stream, PLAIN, ticker).await;
            return Err(
                io::Error::new(io::ErrorKind::InvalidData, "a request in the clear").into(),
            );
        }
        Some(_) => stream.unread(first.freeze()),
    }
    let Stream::Tcp(stream) = stream else {
        // only TCP is given an acceptor
        return Ok((stream, ClientProtocol::Http1));
    };
    let stream = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => stream,
        Err((error, stream)) => {
            // the client reads in an alert why
            linger(Stream::Tcp(stream), ticker).await;
            return Err(error.into());
        }
    };
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(HTTP2) => ClientProtocol::Http2,
        // HTTP/2 over TLS must be agreed on (RFC 9113, section 3.2)
        Some(_) | None => ClientProtocol::Http1,
    };
    Ok((Stream::tls(stream), protocol))
}
