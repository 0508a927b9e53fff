//! The connection to the collector. Names are resolved without the C library: a static binary must not load its modules.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hickory_resolver::TokioResolver;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tower_service::Service;

use super::settings::TraceSettings;

/// Connects with the first export, and again whenever the connection has ended.
pub(super) fn channel(settings: &TraceSettings) -> Result<Channel, tonic::transport::Error> {
    let mut endpoint = Endpoint::from(settings.collector.clone())
        .user_agent(concat!("gatelatch/", env!("CARGO_PKG_VERSION")))?
        .connect_timeout(settings.timeout)
        .timeout(settings.timeout);
    if settings.collector.scheme_str() == Some("https") {
        endpoint = endpoint.tls_config(tls(settings))?;
    }
    Ok(endpoint.connect_with_connector_lazy(Connector))
}

/// The roots that are built in serve where the system has none, as in an empty container.
fn tls(settings: &TraceSettings) -> ClientTlsConfig {
    let tls = ClientTlsConfig::new();
    match &settings.authorities {
        Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
        None if rustls_native_certs::load_native_certs().certs.is_empty() => {
            tls.trust_anchors(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
        }
        None => tls.with_native_roots(),
    }
}

/// Opens TCP connections.
#[derive(Clone)]
struct Connector;

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, collector: Uri) -> Self::Future {
        Box::pin(async move { connect(&collector).await.map(TokioIo::new) })
    }
}

async fn connect(collector: &Uri) -> io::Result<TcpStream> {
    let host = collector
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let default = if collector.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = collector.port_u16().unwrap_or(default);
    let mut failure = io::Error::new(
        io::ErrorKind::NotFound,
        format!("`{host}` cannot be resolved"),
    );
    for address in resolve(host).await? {
        match connect_to(SocketAddr::new(address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
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
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// The resolver is made anew: it is needed once a connection, and `resolv.conf` may have changed.
async fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let resolver = TokioResolver::builder_tokio()
        .and_then(|builder| builder.build())
        .map_err(io::Error::other)?;
    let found = resolver.lookup_ip(host).await.map_err(io::Error::other)?;
    Ok(found.iter().collect())
}
