use super::*;

/// The client's address and the fields for the upstream, `name: value`.
fn client(trusted: &[&str], peer: &str, fields: &[(&str, &str)]) -> (String, Vec<String>) {
    let trusted = TrustedProxies::new(trusted.iter().map(|net| net.parse().unwrap()).collect());
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let peer = Peer::new(SocketAddr::new(peer.parse().unwrap(), 1), Scheme::Http);
    let (client, said) = trusted.client(&peer, &headers);
    let mut fields = HeaderMap::new();
    client.set_fields(
        &mut fields,
        said,
        &HeaderValue::from_static("own.test"),
        None,
    );
    let shown = fields
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
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
            "10.0.0.1",
            "1.1.1.1, unknown, 10.0.0.1",
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
    let (address, fields) = client(NETWORKS, "10.0.0.1", &[("forwarded", "for=1.1.1.1;;")]);
    assert_eq!(
        (address.as_str(), &*field(&fields, "forwarded")),
        ("10.0.0.1", ""),
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
fn a_stripped_mount_is_said() {
    for (before, stripped, expected) in [
        (None, Some("/app"), Some("/app")),
        (Some("/outer/"), Some("/app"), Some("/outer/app")),
        (None, None, None),
    ] {
        let said = SaidByProxy {
            prefix: before.map(HeaderValue::from_static),
            ..SaidByProxy::default()
        };
        assert_eq!(
            said.prefix_before(stripped),
            expected.map(HeaderValue::from_static)
        );
    }
}
