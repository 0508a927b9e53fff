//! Listening sockets: one for each worker and address, so that the kernel spreads connections and no worker waits for
//! another (`SO_REUSEPORT`).

use std::net::{SocketAddr, TcpListener};
use std::{fmt, io};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel keeps ready between two accepts.
const BACKLOG: i32 = 4096;

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

/// The sockets of each worker, and the addresses they are bound to.
pub(super) struct Listeners {
    pub(super) of_worker: Vec<Vec<TcpListener>>,
    pub(super) addresses: Vec<SocketAddr>,
}

/// Binds every address once for each worker. Port 0 is chosen once and shared.
pub(super) fn bind_all(addresses: &[SocketAddr], workers: usize) -> Result<Listeners, ListenError> {
    for address in addresses {
        probe(*address).map_err(|error| ListenError { address: *address, error })?;
    }
    let mut listeners = Listeners { of_worker: (0..workers).map(|_| Vec::new()).collect(), addresses: Vec::new() };
    for address in addresses {
        let mut bound = *address;
        for worker in &mut listeners.of_worker {
            let listener = bind(bound).map_err(|error| ListenError { address: *address, error })?;
            bound = listener.local_addr().map_err(|error| ListenError { address: *address, error })?;
            worker.push(listener);
        }
        listeners.addresses.push(bound);
    }
    Ok(listeners)
}

/// Binds one address that no other socket shares.
pub(super) fn bind_alone(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| ListenError { address, error })
}

/// Whether nobody listens there. With `SO_REUSEPORT` alone a second gateway would be given half of the connections of
/// the first, and neither would notice.
fn probe(address: SocketAddr) -> io::Result<()> {
    socket(address)?.bind(&address.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` can both be listed
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.address, self.error)?;
        f.write_str(advice(self.error.kind()))
    }
}

fn advice(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::AddrInUse {
        "; another process has it: end that one, or choose another port"
    } else if kind == io::ErrorKind::PermissionDenied {
        "; ports below 1024 need CAP_NET_BIND_SERVICE"
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "; it is no address of this machine"
    } else {
        ""
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
