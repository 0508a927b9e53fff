//! Sockets that listen, before and after a worker has them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fmt, io};

use tokio::net::{TcpListener, UnixListener};

use super::tcp;
use crate::server::client::Accepted;
use crate::server::stream::Stream;

/// Whom the peers of a unix socket count as: they are on this machine.
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// An address that the gateway listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// One listening socket, not yet of any runtime.
pub(in crate::server) enum Listener {
    Tcp(std::net::TcpListener, Owner),
    Unix(std::os::unix::net::UnixListener, Owner),
}

/// The process that opened a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Owner {
    /// The gateway: what waits in its queue is lost with it.
    Gateway,
    /// The service manager, which keeps it open, and with it what waits for the next gateway.
    Manager,
}

/// A listening socket of a worker.
pub(in crate::server) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener, owner) => Self::Tcp(listener.try_clone()?, *owner),
            Self::Unix(listener, owner) => Self::Unix(listener.try_clone()?, *owner),
        })
    }

    pub(super) fn endpoint(&self) -> io::Result<ListenAddress> {
        Ok(match self {
            Self::Tcp(listener, _) => ListenAddress::Tcp(listener.local_addr()?),
            Self::Unix(listener, _) => ListenAddress::Unix(
                listener
                    .local_addr()?
                    .as_pathname()
                    .map(PathBuf::from)
                    .unwrap_or_default(),
            ),
        })
    }

    pub(in crate::server) fn owner(&self) -> Owner {
        match self {
            Self::Tcp(_, owner) | Self::Unix(_, owner) => *owner,
        }
    }

    /// Hands it to the runtime of this thread.
    pub(in crate::server) fn register(self) -> io::Result<Accepting> {
        Ok(match self {
            Self::Tcp(listener, _) => {
                tcp::answer_at_once(&listener);
                Accepting::Tcp(TcpListener::from_std(listener)?)
            }
            Self::Unix(listener, _) => Accepting::Unix(UnixListener::from_std(listener)?),
        })
    }
}

impl Accepting {
    /// Waits for a connection.
    pub(in crate::server) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Accepted {
                    stream: Stream::tcp(stream),
                    address,
                })
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted {
                    stream: Stream::unix(stream),
                    address: LOCAL,
                })
            }
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
