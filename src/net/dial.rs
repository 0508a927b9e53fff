//! Opens connections: resolves the name, races its addresses, and does the TLS handshake.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::ServerAddress;
use super::error::{DialAttempt, DialAttempts, DialError};
use super::race::race;
use super::stream::DialedStream;
use super::tls::{Alpn, TlsSettings};

/// How long a connection may be silent before the system looks whether the other end is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// How often it looks then, and how many times in vain before the connection is broken.
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 6;

/// Opens connections, with the name servers and hosts of the system. Names are kept as long as their records say, and no
/// longer. It belongs to the runtime that first uses it; `resolv.conf` is read once, so whoever connects rarely makes a
/// new one each time.
#[derive(Default)]
pub struct Dialer {
    /// Made when the first name is met: for addresses `resolv.conf` is never read.
    resolver: OnceLock<TokioResolver>,
}

impl Dialer {
    /// Connects to the first address that answers (RFC 8305), and does the TLS handshake where `tls` is given. The
    /// certificate must be for the name of `tls`, else for the host of `server`. Over a Unix socket there is no TLS.
    ///
    /// Both families are looked up at once and for the same name of the search list, so that the addresses of a name are
    /// never those of two hosts; section 3 of the RFC, which begins with the family that is answered first, is not
    /// followed.
    ///
    /// # Errors
    /// [`DialError`] where there is no connection before `limit` has passed, the handshake included.
    pub async fn connect(
        &self,
        server: &ServerAddress,
        tls: Option<(&TlsSettings, Alpn)>,
        limit: Duration,
    ) -> Result<DialedStream, DialError> {
        let log = AttemptLog::default();
        timeout(limit, self.open(server, tls, &log))
            .await
            .unwrap_or_else(|_| Err(DialError::TimedOut(log.attempts())))
    }

    /// Does the TLS handshake on a connection over TCP that was in the clear so far, where a protocol begins TLS in its
    /// midst. Nothing of what was sent in the clear may be unread.
    ///
    /// # Errors
    /// [`DialError`] where the handshake does not succeed within `limit`, and for anything but TCP in the clear.
    pub async fn secure(
        stream: DialedStream,
        server: &ServerAddress,
        (tls, alpn): (&TlsSettings, Alpn),
        limit: Duration,
    ) -> Result<DialedStream, DialError> {
        match stream {
            DialedStream::Tcp(tcp) => timeout(limit, shake_hands(tcp, server, tls, alpn))
                .await
                .unwrap_or_else(|_| {
                    let address = server.to_string();
                    let attempt = DialAttempt {
                        address,
                        error: None,
                    };
                    Err(DialError::TimedOut(DialAttempts(vec![attempt])))
                }),
            DialedStream::Unix(_) | DialedStream::Tls(_) => {
                let error = io::Error::other("TLS begins over TCP in the clear");
                Err(DialError::Tls(DialAttempts::failed(server, error)))
            }
        }
    }

    async fn open(
        &self,
        server: &ServerAddress,
        tls: Option<(&TlsSettings, Alpn)>,
        log: &AttemptLog,
    ) -> Result<DialedStream, DialError> {
        match (server, tls) {
            (ServerAddress::Host(host, port), None) => {
                let tcp = self.connect_any(host, *port, log).await?;
                Ok(DialedStream::Tcp(tcp))
            }
            (ServerAddress::Host(host, port), Some((tls, alpn))) => {
                let tcp = self.connect_any(host, *port, log).await?;
                shake_hands(tcp, server, tls, alpn).await
            }
            (ServerAddress::Unix(path), None) => connect_socket(path, server).await,
            (ServerAddress::Unix(_), Some(_)) => {
                let error = io::Error::other("a Unix socket carries no TLS");
                Err(DialError::Tls(DialAttempts::failed(server, error)))
            }
        }
    }

    async fn connect_any(
        &self,
        host: &str,
        port: u16,
        log: &AttemptLog,
    ) -> Result<TcpStream, DialError> {
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => interleave(self.resolve(host).await?),
        };
        let attempts = addresses.into_iter().map(|address| {
            let address = SocketAddr::new(address, port);
            log.record(address, connect_to(address))
        });
        match race(attempts).await {
            Some(outcome) => outcome.map_err(|()| DialError::Connect(log.attempts())),
            None => Err(unresolved(host, "it has no address")),
        }
    }

    /// All addresses of a name, those of IPv6 first.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        match self.resolver(host)?.lookup_ip(host).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => Err(unresolved(host, "it has no address")),
            Err(error) => Err(unresolved(host, error)),
        }
    }

    fn resolver(&self, host: &str) -> Result<&TokioResolver, DialError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let made = TokioResolver::builder_tokio()
            .and_then(|builder| builder.build())
            .map_err(|error| unresolved(host, error))?;
        Ok(self.resolver.get_or_init(|| made))
    }
}

fn unresolved(host: &str, reason: impl ToString) -> DialError {
    DialError::Resolve {
        host: host.into(),
        reason: reason.to_string(),
    }
}

/// Alternates the families, beginning with that of the first address (RFC 8305, section 4): where one family leads
/// nowhere, the first address of the other is not behind all of its addresses.
fn interleave(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let count = addresses.len();
    let first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let pairs = std::iter::repeat_with(|| [preferred.next(), others.next()]);
    pairs.take(count).flatten().flatten().collect()
}

/// What is known of the attempts, for the error that may come of them.
#[derive(Default)]
struct AttemptLog(Mutex<Vec<DialAttempt>>);

impl AttemptLog {
    /// Runs an attempt, and records its begin and its failure.
    async fn record<T>(
        &self,
        address: SocketAddr,
        attempt: impl Future<Output = io::Result<T>>,
    ) -> Result<T, ()> {
        let index = self.with(|attempts| {
            attempts.push(DialAttempt {
                address: address.to_string(),
                error: None,
            });
            attempts.len() - 1
        });
        attempt
            .await
            .map_err(|error| self.with(|attempts| attempts[index].error = Some(Arc::new(error))))
    }

    fn attempts(&self) -> DialAttempts {
        DialAttempts(self.with(|attempts| attempts.clone()))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Vec<DialAttempt>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn connect_socket(path: &Path, server: &ServerAddress) -> Result<DialedStream, DialError> {
    UnixStream::connect(path)
        .await
        .map(DialedStream::Unix)
        .map_err(|error| DialError::Connect(DialAttempts::failed(server, error)))
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
    tcp: TcpStream,
    server: &ServerAddress,
    tls: &TlsSettings,
    alpn: Alpn,
) -> Result<DialedStream, DialError> {
    let address = tcp
        .peer_addr()
        .map_or_else(|_| server.to_string(), |peer| peer.to_string());
    let failed = |error| DialError::Tls(DialAttempts::failed(&address, error));
    let name = tls
        .server_name()
        .cloned()
        .or_else(|| server.server_name())
        .ok_or_else(|| failed(io::Error::other("no certificate can be for this host")))?;
    TlsConnector::from(tls.client_config())
        .with_alpn(alpn.protocols())
        .connect(name, tcp)
        .await
        .map(|stream| DialedStream::Tls(Box::new(stream)))
        .map_err(failed)
}

#[cfg(test)]
mod tests;
