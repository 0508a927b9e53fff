//! Listening sockets. TCP has one for each worker and address, so that the kernel spreads connections and no worker
//! waits for another (`SO_REUSEPORT`); what cannot be bound twice is shared by all workers.

mod systemd;
mod tcp;
mod unix;

pub(super) use tcp::bind_alone;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fmt, io};

use tokio::net::{TcpListener, UnixListener};

use self::unix::SocketFile;
use super::connection::Accepted;
use super::stream::Stream;
use crate::config::Listen;

/// Connections that the kernel keeps ready between two accepts.
const BACKLOG: i32 = 4096;

/// Whom the peers of a unix socket count as: they are on this machine.
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    place: Listen,
    error: io::Error,
}

/// Where clients connect.
#[derive(Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// The sockets of each worker, and where they are.
pub(super) struct Listeners {
    pub(super) of_worker: Vec<Vec<Listener>>,
    pub(super) endpoints: Vec<ListenAddress>,
    /// Dropped, they are removed.
    pub(super) files: Vec<SocketFile>,
}

/// One listening socket, not yet of any runtime.
pub(super) enum Listener {
    Tcp(std::net::TcpListener, Owner),
    Unix(std::os::unix::net::UnixListener, Owner),
}

/// Who opened a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The gateway: what waits in its queue is lost with it.
    Gateway,
    /// The service manager, which keeps it open, and with it what waits for the next gateway.
    Manager,
}

/// A listening socket of a worker.
pub(super) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Binds everything once for each worker. Port 0 is chosen once and shared.
pub(super) fn bind_all(places: &[Listen], workers: usize) -> Result<Listeners, ListenError> {
    for place in places {
        if let Listen::Tcp(address) = place {
            tcp::probe(*address).map_err(|error| ListenError {
                place: place.clone(),
                error,
            })?;
        }
    }
    let of_worker = (0..workers).map(|_| Vec::new()).collect();
    let mut listeners = Listeners {
        of_worker,
        endpoints: Vec::new(),
        files: Vec::new(),
    };
    for place in places {
        listeners.bind(place).map_err(|error| ListenError {
            place: place.clone(),
            error,
        })?;
    }
    Ok(listeners)
}

impl Listeners {
    fn bind(&mut self, place: &Listen) -> io::Result<()> {
        match place {
            Listen::Tcp(address) => {
                let mut bound = *address;
                for worker in &mut self.of_worker {
                    let listener = tcp::bind(bound)?;
                    bound = listener.local_addr()?;
                    worker.push(Listener::Tcp(listener, Owner::Gateway));
                }
                self.endpoints.push(ListenAddress::Tcp(bound));
                Ok(())
            }
            Listen::Unix(path) => {
                let (listener, file) = unix::bind(path)?;
                self.files.push(file);
                self.share(&Listener::Unix(listener, Owner::Gateway))
            }
            Listen::Systemd => systemd::take_all()?
                .iter()
                .try_for_each(|listener| self.share(listener)),
        }
    }

    fn share(&mut self, listener: &Listener) -> io::Result<()> {
        for worker in &mut self.of_worker {
            worker.push(listener.try_clone()?);
        }
        self.endpoints.push(listener.endpoint()?);
        Ok(())
    }
}

impl Listener {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener, owner) => Self::Tcp(listener.try_clone()?, *owner),
            Self::Unix(listener, owner) => Self::Unix(listener.try_clone()?, *owner),
        })
    }

    fn endpoint(&self) -> io::Result<ListenAddress> {
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

    pub(super) fn owner(&self) -> Owner {
        match self {
            Self::Tcp(_, owner) | Self::Unix(_, owner) => *owner,
        }
    }

    /// Hands it to the runtime of this thread.
    pub(super) fn register(self) -> io::Result<Accepting> {
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
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
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

/// As it is written, for the list of all.
impl fmt::Debug for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.place, self.error)?;
        f.write_str(advice(&self.place, self.error.kind()))
    }
}

fn advice(place: &Listen, kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, NotFound, PermissionDenied};
    match place {
        Listen::Tcp(_) if kind == AddrInUse => {
            "; another process has it: end that one, or choose another port"
        }
        Listen::Tcp(_) if kind == PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE"
        }
        Listen::Tcp(_) if kind == AddrNotAvailable => "; it is no address of this machine",
        Listen::Unix(_) if kind == AddrInUse => {
            "; another process has it: end that one, or choose another path"
        }
        Listen::Unix(_) if kind == PermissionDenied => {
            "; the folder must be writable for the gateway's user"
        }
        Listen::Unix(_) if kind == NotFound => "; make its folder first",
        Listen::Tcp(_) | Listen::Unix(_) | Listen::Systemd => "",
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
