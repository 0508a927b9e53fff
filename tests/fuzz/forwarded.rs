//! Whatever a client sends cannot change what the trusted proxy to its right states about it. The first byte says which
//! fields the proxies write and how; then one line of a field each, those of the other kind behind a `!`.

use std::net::SocketAddr;

use gatelatch::access::ClientAddress;
use gatelatch::wire::{ForwardedFields, Peer, Scheme, TrustedProxies};
use http::{HeaderMap, HeaderValue};

const CLIENT: &str = "203.0.113.9";

pub(crate) fn run(data: &[u8]) {
    let Some((flags, sent)) = data.split_first() else {
        return;
    };
    let is_forwarded = flags & 1 == 1;
    let Some(headers) = headers(*flags, sent, is_forwarded) else {
        return;
    };
    let kind = if is_forwarded {
        ForwardedFields::Forwarded
    } else {
        ForwardedFields::XForwarded
    };
    let peer = Peer::new(SocketAddr::from(([10, 0, 0, 250], 1)), Scheme::Http);
    let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()], kind);
    let (client, info) = proxies.client(&peer, &headers);
    let known = ClientAddress::Known(CLIENT.parse().unwrap());
    assert_eq!(client.address, known);
    let info = info.expect("the peer is trusted");
    if is_forwarded {
        assert_eq!(info.scheme(), Some(Scheme::Https));
        assert_eq!(info.host(), Some(&HeaderValue::from_static("a.test")));
    }
    let own = HeaderValue::from_static("own.test");
    client.set_fields(&mut HeaderMap::new(), Some(info), &own, Some("/app"));
}

/// The fields as the last proxy sends them; `None` where hyper would not let one in.
fn headers(flags: u8, sent: &[u8], is_forwarded: bool) -> Option<HeaderMap> {
    let (written, other) = if is_forwarded {
        ("forwarded", "x-forwarded-for")
    } else {
        ("x-forwarded-for", "forwarded")
    };
    let node = |address: &str| {
        if is_forwarded {
            format!("for=\"{address}:80\";proto=https;host=a.test")
        } else {
            address.to_owned()
        }
    };
    let hops = (0..flags >> 2 & 3).map(|hop| node(&format!("10.0.0.{hop}")));
    let right = std::iter::once(node(CLIENT)).chain(hops);
    let right = right.collect::<Vec<_>>().join(", ");
    let mut headers = HeaderMap::new();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in sent.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match line.strip_prefix(b"!") {
            Some(line) => {
                headers.append(other, HeaderValue::from_bytes(line).ok()?);
            }
            None => lines.push(line.to_vec()),
        }
    }
    match lines.last_mut() {
        // the proxy appends to the client's last line
        Some(last) if flags & 2 == 2 => last.extend_from_slice(format!(", {right}").as_bytes()),
        _ => lines.push(right.into_bytes()),
    }
    for line in lines {
        headers.append(written, HeaderValue::from_bytes(&line).ok()?);
    }
    Some(headers)
}
