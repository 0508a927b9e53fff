//! Connections to upstream servers. Names are resolved without the C library: a static binary must not load its modules.

use std::cell::OnceCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::error::ForwardError;
use super::settings::Origin;

/// Opens connections for one worker. Names are kept as long as their records say.
#[derive(Default)]
pub struct Connector {
    /// Made when the first name is met: upstreams that are addresses never read `resolv.conf`.
    resolver: OnceCell<TokioResolver>,
}

impl Connector {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// [`ForwardError`] where none does before `limit` has passed.
    pub async fn connect(&self, origin: &Origin, limit: Duration) -> Result<TcpStream, ForwardError> {
        timeout(limit, self.connect_any(origin)).await.map_err(|_| ForwardError::ConnectTimeout)?
    }

    async fn connect_any(&self, origin: &Origin) -> Result<TcpStream, ForwardError> {
        let mut failure = ForwardError::Resolve(origin.host().to_owned());
        for address in self.addresses(origin.host()).await? {
            match connect_to(SocketAddr::new(address, origin.port())).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = ForwardError::Connect(error),
            }
        }
        Err(failure)
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ForwardError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let unknown = || ForwardError::Resolve(host.to_owned());
        let found = self.resolver()?.lookup_ip(host).await.map_err(|_| unknown())?;
        Ok(found.iter().collect())
    }

    fn resolver(&self) -> Result<&TokioResolver, ForwardError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let unreadable = |error| ForwardError::Connect(io::Error::other(error));
        let made = TokioResolver::builder_tokio().and_then(|builder| builder.build()).map_err(unreadable)?;
        Ok(self.resolver.get_or_init(|| made))
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    socket.connect(address).await
}
