use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The client's address and the fields for the upstream, `name: value`.
fn client(trusted: &[&str], peer: &str, fields: &[(&str, &str)]) -> (String, Vec<String>) {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    client_of(ForwardedFields::Auto, trusted, peer, &fields)
}

fn client_of(
    kind: ForwardedFields,
    trusted: &[&str],
    peer: &str,
    fields: &[(&str, &[u8])],
) -> (String, Vec<String>) {
    let networks = trusted.iter().map(|net| net.parse().unwrap()).collect();
    let trusted = TrustedProxies::new(networks, kind);
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    let peer = Peer::new(SocketAddr::new(peer.parse().unwrap(), 1), Scheme::Http);
    let (client, info) = trusted.client(&peer, &headers);
    let mut fields = HeaderMap::new();
    client.set_fields(
        &mut fields,
        info,
        &HeaderValue::from_static("own.test"),
        None,
    );
    let shown = fields
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    (client.address.to_string(), shown.collect())
}

fn field(fields: &[String], name: &str) -> String {
    fields
        .iter()
        .find_map(|field| field.strip_prefix(&format!("{name}: ")))
        .unwrap_or_default()
        .to_owned()
}

/// Trusted networks, peer, `X-Forwarded-For` lines; the client, and the chain for the upstream.
type Case<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a str, &'a str);

const NETWORKS: &[&str] = &["10.0.0.0/8", "fd00::/8"];

#[test]
fn only_trusted_proxies_say_who_the_client_is() {
    let net = NETWORKS;
    let cases: &[Case<'_>] = &[
        (&[], "10.0.0.1", &["1.1.1.1"], "10.0.0.1", "10.0.0.1"),
        (net, "192.0.2.9", &["1.1.1.1"], "192.0.2.9", "192.0.2.9"),
        (net, "10.0.0.1", &[], "10.0.0.1", "10.0.0.1"),
        (
            net,
            "10.0.0.1",
            &["1.1.1.1"],
            "1.1.1.1",
            "1.1.1.1, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["9.9.9.9, 1.1.1.1"],
            "1.1.1.1",
            "9.9.9.9, 1.1.1.1, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["9.9.9.9", "1.1.1.1, 10.2.2.2"],
            "1.1.1.1",
            "9.9.9.9, 1.1.1.1, 10.2.2.2, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["1.1.1.1, unknown"],
            "unknown",
            "1.1.1.1, unknown, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["1.1.1.1, "],
            "unknown",
            "1.1.1.1, unknown, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["unknown, 10.2.2.2"],
            "unknown",
            "unknown, 10.2.2.2, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["1.1.1.1:4711"],
            "1.1.1.1",
            "1.1.1.1:4711, 10.0.0.1",
        ),
        (
            net,
            "fd00::1",
            &["[2001:db8::7]:80"],
            "2001:db8::7",
            "[2001:db8::7]:80, fd00::1",
        ),
        (
            net,
            "::ffff:10.0.0.1",
            &["::ffff:1.1.1.1"],
            "1.1.1.1",
            "::ffff:1.1.1.1, 10.0.0.1",
        ),
        (
            net,
            "10.0.0.1",
            &["10.0.0.2, 10.0.0.3"],
            "10.0.0.2",
            "10.0.0.2, 10.0.0.3, 10.0.0.1",
        ),
    ];
    for (trusted, peer, lines, address, chain) in cases {
        let sent: Vec<_> = lines
            .iter()
            .map(|line| ("x-forwarded-for", *line))
            .collect();
        let (found, fields) = client(trusted, peer, &sent);
        assert_eq!(
            (found.as_str(), &*field(&fields, "x-forwarded-for")),
            (*address, *chain),
            "{peer} {lines:?}"
        );
        assert_eq!(field(&fields, "x-real-ip"), *address);
    }
}

#[test]
fn forwarded_is_walked_like_its_older_brother() {
    let line = "for=9.9.9.9;proto=https;host=evil.test, for=1.1.1.1;proto=https;host=a.test, for=10.0.0.7;proto=http";
    let (address, fields) = client(NETWORKS, "10.0.0.1", &[("forwarded", line)]);
    assert_eq!(address, "1.1.1.1");
    assert_eq!(
        field(&fields, "x-forwarded-for"),
        "9.9.9.9, 1.1.1.1, 10.0.0.7, 10.0.0.1"
    );
    assert_eq!(field(&fields, "x-forwarded-proto"), "https");
    assert_eq!(
        field(&fields, "x-forwarded-host"),
        "a.test",
        "what the proxy says that met the client"
    );
    assert_eq!(
        field(&fields, "forwarded"),
        format!("{line}, for=10.0.0.1;proto=http")
    );
}

#[test]
fn forwarded_of_strangers_and_beside_its_older_brother_says_nothing() {
    let line = ("forwarded", "for=1.1.1.1;proto=https");
    let (address, fields) = client(&[], "10.0.0.1", &[line]);
    assert_eq!(
        (address.as_str(), &*field(&fields, "forwarded")),
        ("10.0.0.1", "")
    );
    assert_eq!(field(&fields, "x-forwarded-proto"), "http");
    let (address, fields) = client(
        NETWORKS,
        "10.0.0.1",
        &[line, ("x-forwarded-for", "2.2.2.2")],
    );
    assert_eq!(
        (address.as_str(), &*field(&fields, "forwarded")),
        ("2.2.2.2", "")
    );
    let (address, fields) = client(NETWORKS, "10.0.0.1", &[("forwarded", "for=9.9.9.9, for")]);
    assert_eq!(
        (address.as_str(), &*field(&fields, "forwarded")),
        ("unknown", "for=10.0.0.1;proto=http"),
        "malformed"
    );
}

#[test]
fn port_and_prefix_of_a_trusted_proxy_pass() {
    let said = [
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/outer"),
    ];
    let (_, fields) = client(NETWORKS, "10.0.0.1", &said);
    assert_eq!(field(&fields, "x-forwarded-port"), "8443");
    assert_eq!(field(&fields, "x-forwarded-prefix"), "/outer");
    let (_, fields) = client(&[], "10.0.0.1", &said);
    assert_eq!(
        field(&fields, "x-forwarded-port") + &field(&fields, "x-forwarded-prefix"),
        ""
    );
    let (_, fields) = client(
        NETWORKS,
        "10.0.0.1",
        &[("x-forwarded-port", "80a"), ("x-forwarded-prefix", "outer")],
    );
    assert_eq!(
        field(&fields, "x-forwarded-port") + &field(&fields, "x-forwarded-prefix"),
        ""
    );
}

#[test]
fn a_prefix_that_is_no_path_of_this_origin_does_not_pass() {
    for prefix in [
        "//evil.example",
        "/\\evil.example",
        "/a//b",
        "/a/../b",
        "/%2f/evil.example",
        "/a;b",
        "/a?b",
        "https://evil.example",
        "",
    ] {
        let (_, fields) = client(NETWORKS, "10.0.0.1", &[("x-forwarded-prefix", prefix)]);
        assert_eq!(field(&fields, "x-forwarded-prefix"), "", "{prefix}");
    }
}

#[test]
fn a_host_that_is_none_does_not_count() {
    for host in ["a b", "evil.example/x", "user@evil.example", "a, b", ""] {
        let (_, fields) = client(NETWORKS, "10.0.0.1", &[("x-forwarded-host", host)]);
        assert_eq!(field(&fields, "x-forwarded-host"), "own.test", "{host}");
    }
}

#[test]
fn of_several_schemes_the_one_of_the_outermost_trusted_proxy_counts() {
    let chain = ("x-forwarded-for", "9.9.9.9, 1.1.1.1, 10.0.0.7");
    for (proto, expected) in [
        ("HTTPS", "https"),
        ("wss", "https"),
        ("ws", "http"),
        ("https, http", "https"),
        ("http, https, http", "https"),
        ("https, gopher, https", "http"),
        ("", "http"),
    ] {
        let sent = [chain, ("x-forwarded-proto", proto)];
        let (_, fields) = client(NETWORKS, "10.0.0.1", &sent);
        assert_eq!(field(&fields, "x-forwarded-proto"), expected, "{proto}");
    }
}

#[test]
fn an_unreadable_scheme_is_told_from_none() {
    for (fields, unreadable) in [
        (&[][..], false),
        (&[("x-forwarded-proto", "https")][..], false),
        (&[("x-forwarded-proto", "gopher, https")], false),
        (&[("x-forwarded-proto", "https, gopher")], true),
        (&[("x-forwarded-proto", "")], true),
        (&[("forwarded", "for=1.1.1.1;proto=wss")], false),
        (&[("forwarded", "for=1.1.1.1;proto=gopher")], true),
        (
            &[("forwarded", "for=1.1.1.1"), ("x-forwarded-proto", "x")],
            true,
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let trusted =
            TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()], ForwardedFields::Auto);
        let peer = Peer::new("10.0.0.1:1".parse().unwrap(), Scheme::Http);
        let (_, info) = trusted.client(&peer, &headers);
        assert_eq!(
            info.unwrap().has_unreadable_scheme(),
            unreadable,
            "{fields:?}"
        );
    }
}

#[test]
fn the_kind_that_is_configured_counts_alone() {
    let sent: &[(&str, &[u8])] = &[
        ("x-forwarded-for", b"1.1.1.1"),
        ("x-forwarded-proto", b"https"),
        ("forwarded", b"for=2.2.2.2;host=b.test"),
    ];
    for (kind, address, scheme, host) in [
        (ForwardedFields::Auto, "1.1.1.1", "https", "own.test"),
        (ForwardedFields::XForwarded, "1.1.1.1", "https", "own.test"),
        (ForwardedFields::Forwarded, "2.2.2.2", "http", "b.test"),
    ] {
        let (found, fields) = client_of(kind, NETWORKS, "10.0.0.1", sent);
        assert_eq!(found, address, "{kind:?}");
        assert_eq!(field(&fields, "x-forwarded-proto"), scheme, "{kind:?}");
        assert_eq!(field(&fields, "x-forwarded-host"), host, "{kind:?}");
    }
    let (found, fields) = client_of(
        ForwardedFields::XForwarded,
        NETWORKS,
        "10.0.0.1",
        &sent[2..],
    );
    assert_eq!((&*found, &*field(&fields, "forwarded")), ("10.0.0.1", ""));
}

/// What a field value may hold: no control bytes but the tab.
fn field_bytes() -> impl Strategy<Value = Vec<u8>> {
    let interesting = prop::sample::select(b",;=\"\\ \tfor0123456789.:[]\xff\x80".to_vec());
    vec(
        prop_oneof![interesting, (0x20u8..0x7f), (0x80u8..=0xff)],
        0..40,
    )
}

/// Lines of the client, each followed by what the trusted proxies appended.
fn appended(left: &[Vec<u8>], same_line: bool, right: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = left.to_vec();
    match lines.last_mut() {
        Some(last) if same_line => {
            last.extend_from_slice(b", ");
            last.extend_from_slice(right);
        }
        _ => lines.push(right.to_vec()),
    }
    lines
}

proptest! {
    /// Whatever stands to the left of what a trusted proxy wrote, and whatever the other kind of field holds.
    #[test]
    fn what_a_client_sends_changes_nothing(
        left in vec(field_bytes(), 0..4),
        other in vec(field_bytes(), 0..3),
        same_line: bool,
        hops in 0..3usize,
        obscured: bool,
    ) {
        let client_node = if obscured { "_hidden" } else { "203.0.113.9" };
        let nodes: Vec<_> = std::iter::once(client_node).chain(["10.0.0.8", "10.0.0.9"]).take(hops + 1).collect();
        let elements = |node: &&str| format!("for=\"{node}\";proto=https;host=\"outer.test\"");
        let x_forwarded = nodes.join(", ");
        let forwarded = nodes.iter().map(elements).collect::<Vec<_>>().join(", ");
        let written: [(ForwardedFields, &str, &str, String); 3] = [
            (ForwardedFields::Auto, "x-forwarded-for", "forwarded", x_forwarded.clone()),
            (ForwardedFields::XForwarded, "x-forwarded-for", "forwarded", x_forwarded),
            (ForwardedFields::Forwarded, "forwarded", "x-forwarded-for", forwarded),
        ];
        for (kind, name, other_name, right) in written {
            let alone = client_of(kind, NETWORKS, "10.0.0.1", &[(name, right.as_bytes())]);
            let lines = appended(&left, same_line, right.as_bytes());
            let sent: Vec<(&str, &[u8])> = lines
                .iter()
                .map(|line| (name, &line[..]))
                .chain(other.iter().map(|line| (other_name, &line[..])))
                .collect();
            let beside = client_of(kind, NETWORKS, "10.0.0.1", &sent);
            prop_assert_eq!(&alone.0, &beside.0);
            let expected = if obscured { "unknown" } else { "203.0.113.9" };
            prop_assert_eq!(&alone.0, expected);
            for same in ["x-real-ip", "x-forwarded-proto", "x-forwarded-host"] {
                prop_assert_eq!(field(&alone.1, same), field(&beside.1, same));
            }
        }
    }
}

#[test]
fn a_stripped_mount_is_said() {
    for (before, stripped, expected) in [
        (None, Some("/app"), Some("/app")),
        (Some("/outer/"), Some("/app"), Some("/outer/app")),
        (None, None, None),
    ] {
        let said = ForwardedInfo {
            prefix: before.map(HeaderValue::from_static),
            ..ForwardedInfo::default()
        };
        assert_eq!(
            said.prefix_before(stripped),
            expected.map(HeaderValue::from_static)
        );
    }
}
