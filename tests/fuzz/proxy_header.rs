//! The header of the PROXY protocol, with a request behind it: the client that the service sees is the one that a reader of
//! forty lines finds, and where that finds no header, the service sees nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

static GATEWAY: LazyLock<SocketAddr> = LazyLock::new(|| {
    crate::gateway::start(", proxy_protocol: true, trusted_proxies: [\"127.0.0.0/8\"]")
});

/// After which the client gives up a header that is not whole.
const REST: Duration = Duration::from_millis(20);

const REQUEST: &[u8] = b"GET /public/a HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";

pub(crate) fn run(data: &[u8]) {
    let mut sent = data.to_vec();
    sent.extend_from_slice(REQUEST);
    let found = read(&sent);
    // a request that is whole has an answer, and the gateway ends the connection behind it
    let is_whole = found.is_some_and(|(_, rest)| rest == REQUEST);
    let rest = (!is_whole).then_some(REST);
    let answers = crate::gateway::exchange(*GATEWAY, &sent, rest);
    let shown = String::from_utf8_lossy(&answers);
    if shown.starts_with("HTTP/1.1 200") {
        assert!(found.is_some(), "{shown:?} for {sent:?}");
    }
    if let Some((address, _)) = found.filter(|_| is_whole) {
        assert!(shown.starts_with("HTTP/1.1 200"), "{shown:?} for {sent:?}");
        let seen: IpAddr = shown.rsplit("\r\n").next().unwrap().parse().unwrap();
        let expected = address.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(seen, expected.to_canonical(), "{sent:?}");
    }
}

/// The source that a header states, if it states one, and what is behind it.
fn read(bytes: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    match bytes.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n") {
        Some(rest) => read_binary(rest),
        None => read_text(bytes),
    }
}

/// Section 2.1.
fn read_text(bytes: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    // behind `UNKNOWN` anything may stand
    let line = String::from_utf8_lossy(&bytes[..end]);
    let rest = &bytes[end + 2..];
    let words: Vec<&str> = line.split(' ').collect();
    let address = match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, source, target, from, to] => {
            let ports: [u16; 2] = [from.parse().ok()?, to.parse().ok()?];
            // without leading zeros
            (ports.map(|port| port.to_string()) == [from, to]).then_some(())?;
            Some(both(family, source, target)?)
        }
        _ => return None,
    };
    (end <= 105).then_some((address, rest))
}

/// The source, where both are addresses of the family.
fn both(family: &str, source: &str, target: &str) -> Option<IpAddr> {
    let addresses: [IpAddr; 2] = [source.parse().ok()?, target.parse().ok()?];
    let is_of = |address: &IpAddr| match family {
        "TCP4" => address.is_ipv4(),
        "TCP6" => address.is_ipv6(),
        _ => false,
    };
    addresses.iter().all(is_of).then_some(addresses[0])
}

/// Section 2.2.
fn read_binary(bytes: &[u8]) -> Option<(Option<IpAddr>, &[u8])> {
    let [command, family, high, low, rest @ ..] = bytes else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (addresses, rest) = rest.split_at_checked(length)?;
    let source = match (command, family >> 4) {
        (0x20, _) => None,
        (0x21, 1) => Some(IpAddr::from(<[u8; 4]>::try_from(addresses.get(..4)?).ok()?)),
        (0x21, 2) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(addresses.get(..16)?).ok()?).into()),
        (0x21, 0 | 3) => None,
        _ => return None,
    };
    // a datagram has no connection that could be meant
    Some((source.filter(|_| family & 0xf == 1), rest))
}
