//! Who a client behind proxies is: for rules, for another proxy's question, for the limits of logins, and in logs.

use crate::support::{Answer, Connection, Gateway, PASSWORD, Upstream, gateway};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /inside, allow: { networks: [10.0.0.0/8] } }
      - { path: /proxy, allow: { networks: [127.0.0.0/8] } }
      - { path: /open, allow: anyone }
";

/// Sends bytes that are no text as well.
fn send(gateway: &Gateway, line: &str, fields: &[&[u8]], body: &str) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nHost: app.test\r\n").into_bytes();
    for field in fields {
        request.extend_from_slice(field);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(format!("\r\n{body}").as_bytes());
    Connection::open(gateway.address).write(request).read()
}

fn behind(upstream: &Upstream, server: &str) -> Gateway {
    gateway(SERVICES)
        .upstream(upstream.address)
        .server(&format!("trusted_proxies: [127.0.0.1], {server}"))
        .auth("login: { attempts: 3 }")
        .start()
}

/// What reaches the gateway from a trusted proxy whose client is 203.0.113.9, or one that it cannot tell.
const UNREADABLE: &[&[&[u8]]] = &[
    &[b"X-Forwarded-For: 10.1.2.3, \xff"],
    &[b"X-Forwarded-For: 10.1.2.3, unknown"],
    &[b"X-Forwarded-For: \xff", b"Forwarded: for=10.1.2.3"],
    &[b"X-Forwarded-For: unix:"],
    &[b"X-Forwarded-For: 10.1.2.3,"],
    &[b"X-Forwarded-For:"],
    &[b"Forwarded: for=10.1.2.3, for=_hidden"],
    &[b"Forwarded: for=10.1.2.3, \xff"],
    &[b"Forwarded: x"],
];

const READABLE: &[&[&[u8]]] = &[
    &[b"X-Forwarded-For: 203.0.113.9", b"Forwarded: for=10.1.2.3"],
    &[
        b"X-Forwarded-For: \xff, 203.0.113.9",
        b"Forwarded: for=10.1.2.3",
    ],
    &[b"X-Forwarded-For: \xff", b"X-Forwarded-For: 203.0.113.9"],
    &[b"Forwarded: ;;;, for=203.0.113.9"],
    &[b"Forwarded: for=\"10.1.2.3, for=203.0.113.9"],
    &[b"Forwarded: \xff, for=203.0.113.9"],
];

#[test]
fn nothing_that_a_client_sends_names_its_address() {
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, "");
    let question: &[&[u8]] = &[
        b"X-Forwarded-Method: GET",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: app.test",
        b"X-Forwarded-Uri: /inside",
    ];
    let tables = READABLE.iter().map(|fields| (fields, "203.0.113.9"));
    for (fields, address) in tables.chain(UNREADABLE.iter().map(|fields| (fields, "unknown"))) {
        let shown: Vec<_> = fields.iter().map(|field| field.escape_ascii()).collect();
        for path in ["/inside", "/proxy"] {
            let answer = send(&gateway, &format!("GET {path}"), fields, "");
            assert_eq!(answer.status, 403, "{path} {shown:?}");
        }
        let asked = send(
            &gateway,
            "GET /auth/verify",
            &[fields, question].concat(),
            "",
        );
        assert_eq!(asked.status, 403, "verify {shown:?}");
        assert_eq!(send(&gateway, "GET /open", fields, "").status, 200);
        let received = upstream.received().pop().unwrap();
        assert_eq!(received.fields("x-real-ip"), [address], "{shown:?}");
    }
    let known: &[&[u8]] = &[b"X-Forwarded-For: 203.0.113.9, 10.9.9.9"];
    assert_eq!(send(&gateway, "GET /inside", known, "").status, 200);
}

#[test]
fn an_address_that_nobody_knows_is_written_as_unknown() {
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, "");
    let fields: &[&[u8]] = &[b"X-Forwarded-For: 10.1.2.3, \xff"];
    assert_eq!(send(&gateway, "GET /proxy", fields, "").status, 403);
    assert_eq!(gateway.line("/proxy")["client"], "unknown");
}

#[test]
fn the_limits_of_logins_count_a_client_that_nobody_knows_under_its_proxy() {
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, "");
    let log_in = |fields: &[&[u8]], password: &str| {
        let body = format!("username=rita&password={password}");
        let length = format!("Content-Length: {}", body.len());
        let own: &[&[u8]] = &[
            b"Content-Type: application/x-www-form-urlencoded",
            length.as_bytes(),
        ];
        send(&gateway, "POST /auth/login", &[fields, own].concat(), &body).status
    };
    // each try claims another address to the left of what the proxy cannot tell
    for number in 1..=3 {
        let claimed = format!("Forwarded: for=10.0.{number}.1");
        assert_eq!(
            log_in(&[b"X-Forwarded-For: \xff", claimed.as_bytes()], "wrong"),
            401
        );
    }
    let more: &[&[u8]] = &[b"X-Forwarded-For: \xff", b"Forwarded: for=10.0.9.1"];
    assert_eq!(log_in(more, PASSWORD), 429);
    assert_eq!(log_in(&[b"X-Forwarded-For: 203.0.113.9"], PASSWORD), 200);
}

#[test]
fn the_kind_of_fields_that_the_proxy_writes_can_be_named() {
    let upstream = Upstream::saying("hi");
    let claimed: &[&[u8]] = &[b"X-Forwarded-For: 10.1.2.3", b"Forwarded: for=203.0.113.9"];
    for (setting, status) in [
        ("forwarded: auto", 200),
        ("forwarded: x-forwarded", 200),
        ("forwarded: forwarded", 403),
    ] {
        let gateway = behind(&upstream, setting);
        let answer = send(&gateway, "GET /inside", claimed, "");
        assert_eq!(answer.status, status, "{setting}");
    }
}
