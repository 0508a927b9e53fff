//! The PROXY protocol, versions 1 and 2: what a load balancer in front says about its client before anything else.

use std::net::IpAddr;

use proxy_header::{Error, ParseConfig, Protocol, ProxyHeader, Tlv};

use super::client::{Failure, Introduction};
use super::stream::Stream;
use crate::config::{ProxyProtocol, Server};

/// The longest header, in bytes: 107 in version 1; in version 2 what the extensions of a sane proxy take.
const LONGEST: usize = 8 * 1024;

/// The longest header of version 1.
const LONGEST_LINE: usize = 107;

/// Set where a connection from this address must begin with a header. Nobody else's is read: to HTTP it is malformed.
pub(super) fn due(server: &Server, address: IpAddr) -> Option<ProxyProtocol> {
    let settings = server.proxy_protocol?;
    is_trusted(server, address).then_some(settings)
}

/// Whether this is the address of a trusted proxy.
pub(super) fn is_trusted(server: &Server, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let mut trusted = server.trusted_proxies.iter();
    trusted.any(|network| network.contains(&address))
}

/// Reads the header.
pub(super) async fn read(stream: &mut Stream) -> Result<Introduction, Failure> {
    let mut bytes = stream.read_ahead().await.map_err(Failure::at_start)?;
    if bytes.is_empty() {
        return Err(Failure::Gone);
    }
    loop {
        match ProxyHeader::parse(&bytes, ParseConfig::default()) {
            Ok((header, length)) => {
                if !is_exact(&bytes[..length]) {
                    return Err(Failure::malformed("no PROXY header, or a malformed one"));
                }
                let introduction = introduction(&header, is_local(&bytes));
                stream.unread(bytes.split_off(length).freeze());
                return Ok(introduction);
            }
            Err(Error::BufferTooShort) if bytes.len() < LONGEST => {}
            Err(_) => return Err(Failure::malformed("no PROXY header, or a malformed one")),
        }
        let more = stream.read_ahead().await?;
        if more.is_empty() {
            return Err(Failure::malformed(
                "the connection ended amidst of the PROXY header",
            ));
        }
        bytes.unsplit(more);
    }
}

/// Whether a header of version 1 is written as section 2.1 has it; one of version 2 is. The library takes any byte for the
/// first blank, `UNKNOWN` for the begin of a word, a sign and zeros before a port, and a line of any length.
fn is_exact(header: &[u8]) -> bool {
    let Some(line) = header.strip_prefix(b"PROXY") else {
        return true;
    };
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let (before, family) = (words.next(), words.next());
    let is_number = |port: &[u8]| {
        let is_plain = port.iter().all(u8::is_ascii_digit);
        is_plain && (port == b"0" || !port.starts_with(b"0"))
    };
    let is_family = match family {
        Some(b"UNKNOWN") => true,
        Some(b"TCP4" | b"TCP6") => words.skip(2).all(is_number),
        _ => false,
    };
    header.len() <= LONGEST_LINE && before == Some(b"") && is_family
}

/// Whether a header of version 2 has the command LOCAL: nothing else in it counts. No header of version 1 has this byte there.
fn is_local(header: &[u8]) -> bool {
    const LOCAL: u8 = 0x20;
    header.get(12) == Some(&LOCAL)
}

fn introduction(header: &ProxyHeader<'_>, is_local: bool) -> Introduction {
    let proxied = header.proxied_address();
    let proxied = proxied.filter(|proxied| proxied.protocol == Protocol::Stream);
    // what is behind an extension that cannot be read is not looked for
    let mut extensions = header.tlvs().map_while(Result::ok);
    let over_tls = extensions.any(|one| matches!(one, Tlv::Ssl(tls) if tls.client_ssl()));
    Introduction {
        source: proxied.map(|proxied| proxied.source),
        over_tls: over_tls && !is_local,
    }
}
