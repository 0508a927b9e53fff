//! TCP sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::backlog::BACKLOG;
use super::error::ListenError;
use crate::config::Listen;

/// How long a connection may be silent before the system asks whether the client is still there. No deadline covers a
/// client that vanishes while it waits for an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the system waits until it asks again; after nine times the connection has ended.
const AGAIN: Duration = Duration::from_secs(10);

/// Binds one address that no other socket shares.
pub(in crate::server) fn bind_alone(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| ListenError {
            place: Listen::Tcp(address),
            error,
        })
}

/// Whether nobody listens there. With `SO_REUSEPORT` alone a second gateway would be given half of the connections of
/// the first, and neither would notice.
pub(super) fn probe(address: SocketAddr) -> io::Result<()> {
    socket(address)?.bind(&address.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` can both be listed
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Sends small answers at once; otherwise they wait for the client's acknowledgement. What is accepted inherits it,
/// which saves a system call for each connection.
pub(super) fn answer_at_once(listener: &TcpListener) {
    // without it answers come later, and that is all
    let _ = SockRef::from(listener).set_tcp_nodelay(true);
}

/// Binds an address that the other workers share.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // what is accepted inherits it
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(AGAIN))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[test]
    fn what_is_accepted_answers_at_once() {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        listener.set_nonblocking(false).unwrap();
        answer_at_once(&listener);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }
}
