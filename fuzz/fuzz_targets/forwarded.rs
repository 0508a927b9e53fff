//! Whatever a client sends cannot change what the trusted proxy to its right states about it.
#![no_main]

use std::net::SocketAddr;

use gatelatch::access::ClientAddress;
use gatelatch::wire::{ForwardedFields, Peer, Scheme, TrustedProxies};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Whether the proxies write `Forwarded`.
    forwarded: bool,
    /// What the client sent of the kind that the proxies write, a line each.
    left: Vec<&'a [u8]>,
    /// What it sent of the other kind.
    other: Vec<&'a [u8]>,
    /// Whether the proxy appends to the client's last line.
    same_line: bool,
    /// How many trusted proxies stand behind the first one.
    hops: u8,
}

fuzz_target!(|input: Input<'_>| {
    let (kind, written, other) = if input.forwarded {
        (ForwardedFields::Forwarded, "forwarded", "x-forwarded-for")
    } else {
        (ForwardedFields::XForwarded, "x-forwarded-for", "forwarded")
    };
    let node = |address: &str| match kind {
        ForwardedFields::Forwarded => format!("for=\"{address}:80\";proto=https;host=a.test"),
        ForwardedFields::Auto | ForwardedFields::XForwarded => address.to_owned(),
    };
    let trusted = (0..input.hops % 4).map(|hop| node(&format!("10.0.0.{hop}")));
    let right = std::iter::once(node("203.0.113.9")).chain(trusted).collect::<Vec<_>>().join(", ");
    let mut lines: Vec<Vec<u8>> = input.left.iter().map(|line| line.to_vec()).collect();
    match lines.last_mut() {
        Some(last) if input.same_line => last.extend_from_slice(format!(", {right}").as_bytes()),
        _ => lines.push(right.into_bytes()),
    }
    let mut headers = HeaderMap::new();
    for (name, line) in lines.iter().map(|line| (written, &line[..])).chain(input.other.iter().map(|line| (other, *line))) {
        // a field value holds no control bytes: hyper refuses the request
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(name, value);
    }
    let peer = Peer::new(SocketAddr::from(([10, 0, 0, 250], 1)), Scheme::Http);
    let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()], kind);
    let (client, info) = proxies.client(&peer, &headers);
    assert_eq!(client.address, ClientAddress::Known("203.0.113.9".parse().unwrap()));
    let info = info.expect("the peer is trusted");
    if input.forwarded {
        assert_eq!(info.scheme(), Some(Scheme::Https));
        assert_eq!(info.host(), Some(&HeaderValue::from_static("a.test")));
    }
    client.set_fields(&mut HeaderMap::new(), Some(info), &HeaderValue::from_static("own.test"), Some("/app"));
});
