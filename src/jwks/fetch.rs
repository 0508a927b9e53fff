//! Fetches a key set once: over a connection of its own, bounded in time and size, without following redirects.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::TokioResolver;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::lifetime::lifetime;
use super::url::{KeyUrl, Security};

/// From the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);

/// The most bytes of a key set.
const LARGEST: usize = 256 * 1024;

/// What was fetched.
pub(super) struct Fetched {
    pub(super) body: Bytes,
    pub(super) lifetime: Duration,
}

/// Why nothing was fetched.
#[derive(Debug)]
pub(super) enum FetchError {
    TimedOut,
    Resolve,
    Connect(io::Error),
    Tls(io::Error),
    Http(hyper::Error),
    Status(StatusCode),
    /// Too large, or broken off.
    Body,
}

/// Fetches what is published there.
pub(super) async fn fetch(url: &KeyUrl) -> Result<Fetched, FetchError> {
    timeout(DEADLINE, ask(url))
        .await
        .map_err(|_| FetchError::TimedOut)?
}

async fn ask(url: &KeyUrl) -> Result<Fetched, FetchError> {
    let stream = connect(url).await?;
    match url.security() {
        Security::Clear => converse(stream, url).await,
        Security::Tls => converse(secure(stream, url).await.map_err(FetchError::Tls)?, url).await,
    }
}

async fn connect(url: &KeyUrl) -> Result<TcpStream, FetchError> {
    let mut failure = FetchError::Resolve;
    for address in resolve(url.host()).await? {
        match connect_to(SocketAddr::new(address, url.port())).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = FetchError::Connect(error),
        }
    }
    Err(failure)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.connect(address).await
}

/// The resolver is made anew: once in five minutes, and `resolv.conf` may have changed.
async fn resolve(host: &str) -> Result<Vec<IpAddr>, FetchError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let resolver = resolver.map_err(|_| FetchError::Resolve)?;
    let found = resolver
        .lookup_ip(host)
        .await
        .map_err(|_| FetchError::Resolve)?;
    Ok(found.iter().collect())
}

async fn secure(
    stream: TcpStream,
    url: &KeyUrl,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let name = ServerName::try_from(url.host().to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(tls_settings()?))
        .connect(name, stream)
        .await
}

/// The roots of the system, which may change; those that are built in where it has none.
fn tls_settings() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &KeyUrl,
) -> Result<Fetched, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(FetchError::Http)?;
    let request = Request::get(url.target())
        .header(HOST, url.authority())
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, concat!("gatelatch/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Resolve)?;
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(FetchError::Http)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let lifetime = lifetime(response.headers());
        let body = Limited::new(response.into_body(), LARGEST)
            .collect()
            .await
            .map_err(|_| FetchError::Body)?;
        Ok(Fetched {
            body: body.to_bytes(),
            lifetime,
        })
    };
    tokio::pin!(answer);
    // the connection moves only while somebody polls it
    tokio::select! {
        answered = &mut answer => answered,
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(FetchError::Http(error)),
        },
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => write!(f, "no answer within {} s", DEADLINE.as_secs()),
            Self::Resolve => f.write_str("the host is unknown"),
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Tls(error) => write!(f, "no TLS connection: {error}"),
            Self::Http(error) => write!(f, "no HTTP answer: {error}"),
            Self::Status(status) if status.is_redirection() => {
                write!(
                    f,
                    "answered {status}, and redirects are not followed: write the final URL"
                )
            }
            Self::Status(status) => write!(f, "answered {status}"),
            Self::Body => write!(
                f,
                "the answer broke off, or has more than {} KiB",
                LARGEST / 1024
            ),
        }
    }
}

impl std::error::Error for FetchError {}
