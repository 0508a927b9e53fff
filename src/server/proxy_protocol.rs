//! The PROXY protocol, versions 1 and 2: what a load balancer in front says about its client before anything else.

use std::io;
use std::net::{IpAddr, SocketAddr};

use proxy_header::{Error, ParseConfig, Protocol, ProxyHeader};

use super::client::Failure;
use super::stream::Stream;
use crate::config::Server;

/// The longest header, in bytes: 107 in version 1; in version 2 what the extensions of a sane proxy take.
const LONGEST: usize = 8 * 1024;

/// Whether a connection from this address must begin with a header. Nobody else's is read: to HTTP it is malformed.
pub(super) fn is_due(server: &Server, address: IpAddr) -> bool {
    let address = address.to_canonical();
    server.proxy_protocol
        && server
            .trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
}

/// Reads the header. `None` where it names nobody: then the proxy speaks for itself, as with a health check.
pub(super) async fn read(stream: &mut Stream) -> Result<Option<SocketAddr>, Failure> {
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    let mut bytes = stream.read_ahead().await?;
    if bytes.is_empty() {
        return Err(Failure::Gone);
    }
    loop {
        match ProxyHeader::parse(&bytes, config) {
            Ok((header, length)) => {
                let client = header
                    .proxied_address()
                    .filter(|proxied| proxied.protocol == Protocol::Stream);
                let client = client.map(|proxied| proxied.source);
                stream.unread(bytes.split_off(length).freeze());
                return Ok(client);
            }
            Err(Error::BufferTooShort) if bytes.len() < LONGEST => {}
            Err(_) => return Err(malformed("no PROXY header, or a malformed one")),
        }
        let more = stream.read_ahead().await?;
        if more.is_empty() {
            return Err(malformed("the connection ended amidst of the PROXY header"));
        }
        bytes.unsplit(more);
    }
}

fn malformed(what: &'static str) -> Failure {
    Failure::Refused(io::Error::new(io::ErrorKind::InvalidData, what))
}
