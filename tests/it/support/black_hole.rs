//! An address that swallows packets.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::programs::skip;

/// `[::1]` at a port, as behind a firewall that drops packets: the backlog of its listener is full, so that the kernel
/// drops every SYN. Since `localhost` is `::1` and `127.0.0.1`, it is the first address of a server on the latter.
pub struct BlackHole {
    _listener: Socket,
    _backlog: Vec<TcpStream>,
}

impl BlackHole {
    /// Beside a server of that port; `None` where this machine has no IPv6, and the test is skipped.
    pub fn beside(server: SocketAddr) -> Option<Self> {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, server.port()));
        let listener = match listen(address) {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => panic!("{address}: {error}"),
            Err(error) => {
                skip(&format!("needs IPv6 on the loopback interface ({error})"));
                return None;
            }
        };
        let mut backlog = Vec::new();
        loop {
            match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
                Ok(stream) => backlog.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("{address}: {error}"),
            }
        }
        Some(Self {
            _listener: listener,
            _backlog: backlog,
        })
    }
}

fn listen(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(true)?;
    socket.bind(&address.into())?;
    socket.listen(0)?;
    Ok(socket)
}
