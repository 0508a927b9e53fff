//! Connections to upstream servers. Names are resolved without the C library: a static binary must not load its modules.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::ForwardError;
use super::origin::{Address, Origin, Speaks};
use super::race::race;
use super::stream::Stream;
use super::tls::{ClientTls, Offer};

/// How long a connection may be silent before the system looks whether the other end is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How often it looks then, and how many times in vain before the connection is broken.
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 6;

/// Opens connections for one worker. Names are kept as long as their records say, and no longer.
#[derive(Default)]
pub struct Connector {
    /// Made when the first name is met: upstreams that are addresses never read `resolv.conf`.
    resolver: OnceLock<TokioResolver>,
}

/// How to get to one server.
#[derive(Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) origin: &'a Origin,
    /// How TLS is spoken, if it is.
    pub(super) tls: Option<(&'a ClientTls, Offer)>,
}

impl Connector {
    /// Whether a server takes connections, and TLS where it speaks it.
    ///
    /// # Errors
    /// [`ForwardError`] where it does not before `limit` has passed.
    pub async fn reach(
        &self,
        origin: &Origin,
        tls: Option<&ClientTls>,
        limit: Duration,
    ) -> Result<(), ForwardError> {
        let tls = tls
            .filter(|_| origin.speaks() == Speaks::Tls)
            .map(|tls| (tls, Offer::Any));
        self.connect(Route { origin, tls }, limit).await.map(drop)
    }

    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// [`ForwardError`] where none does before `limit` has passed, the TLS handshake included.
    pub(super) async fn connect(
        &self,
        route: Route<'_>,
        limit: Duration,
    ) -> Result<Stream, ForwardError> {
        timeout(limit, self.open(route))
            .await
            .map_err(|_| ForwardError::ConnectTimeout)?
    }

    async fn open(&self, route: Route<'_>) -> Result<Stream, ForwardError> {
        let tcp = match route.origin.address() {
            Address::Path(path) => return connect_socket(path).await,
            Address::Host(host, port) => self.connect_any(host, *port).await?,
        };
        match route.tls {
            None => Ok(Stream::Tcp(tcp)),
            Some((tls, offer)) => shake_hands(tcp, route.origin, tls, offer).await,
        }
    }

    async fn connect_any(&self, host: &str, port: u16) -> Result<TcpStream, ForwardError> {
        if let Ok(address) = host.parse() {
            return connect_to(SocketAddr::new(address, port))
                .await
                .map_err(ForwardError::Connect);
        }
        let addresses = self.addresses(host).await?;
        let attempts = addresses
            .into_iter()
            .map(|address| connect_to(SocketAddr::new(address, port)));
        match race(attempts).await {
            Some(outcome) => outcome.map_err(ForwardError::Connect),
            None => Err(ForwardError::Resolve(host.to_owned())),
        }
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ForwardError> {
        let unknown = |_| ForwardError::Resolve(host.to_owned());
        let found = self.resolver()?.lookup_ip(host).await.map_err(unknown)?;
        Ok(found.iter().collect())
    }

    fn resolver(&self) -> Result<&TokioResolver, ForwardError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let unreadable = |error| ForwardError::Connect(io::Error::other(error));
        let made = TokioResolver::builder_tokio()
            .and_then(|builder| builder.build())
            .map_err(unreadable)?;
        Ok(self.resolver.get_or_init(|| made))
    }
}

async fn connect_socket(path: &Path) -> Result<Stream, ForwardError> {
    UnixStream::connect(path)
        .await
        .map(Stream::Unix)
        .map_err(ForwardError::Connect)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_nodelay(true)?;
    // a server that has vanished without a word is noticed, however long an answer may be silent
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE)
        .with_interval(PROBE_EVERY)
        .with_retries(PROBES);
    SockRef::from(&socket).set_tcp_keepalive(&keep_alive)?;
    socket.connect(address).await
}

async fn shake_hands(
    stream: TcpStream,
    origin: &Origin,
    tls: &ClientTls,
    offer: Offer,
) -> Result<Stream, ForwardError> {
    let name = tls.server_name().cloned().or_else(|| origin.server_name());
    let name: ServerName<'static> = name.expect("a server that speaks TLS has a name");
    let connected = TlsConnector::from(tls.config(offer))
        .connect(name, stream)
        .await;
    connected
        .map(|stream| Stream::Tls(Box::new(stream)))
        .map_err(ForwardError::Tls)
}

#[cfg(test)]
mod tests;
