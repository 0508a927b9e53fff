//! Requests that can be read in two ways, or in none.

use crate::support::{Connection, Upstream, gateway};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

/// A request as it is sent, and the status that answers it; 0: the connection is closed without an answer.
const REFUSED: &[(&str, u16)] = &[
    // RFC 9112, section 3.2: exactly one sound `Host`, that of the target
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // targets
    ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET //a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%5cb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a;b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%252e HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET http://a/x/../y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET # HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET http://a/#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a?q=\"x\" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a?q=<x> HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a<b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a`b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // request lines
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
    ("GET /\r\n\r\n", 400),
    ("GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("Post / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    // fields
    ("GET / HTTP/1.1\rHost: a\r\r", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nNo-Colon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", 400),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        400,
    ),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\n\r\n",
        417,
    ),
];

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for (request, status) in REFUSED {
        let answer = Connection::open(gateway.address).write(request).try_read();
        assert_eq!(
            answer.as_ref().map_or(0, |answer| answer.status),
            *status,
            "{request:?}: {answer:?}"
        );
    }
    assert!(upstream.received().is_empty(), "{:#?}", upstream.received());
}

#[test]
fn what_has_one_reading_passes() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a\r\nX:\r\n\r\n",
        "GET / HTTP/1.1\r\nHOST: \ta \r\n\r\n",
        "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n\r\n",
    ] {
        let answer = Connection::open(gateway.address).write(request).read();
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
    }
}

#[test]
fn too_large_a_head_says_what_is_too_large() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("limits: { header_bytes: 32KiB, headers: 20 }")
        .start();
    let long = |count: usize| "a".repeat(count);
    let fields = |count: usize| {
        (0..count)
            .map(|at| format!("X-{at}: 1\r\n"))
            .collect::<String>()
    };
    for (request, status) in [
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(15_000)),
            200,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(17_000)),
            414,
        ),
        (
            format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", long(17_000)),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long(30_000)),
            200,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long(33_000)),
            431,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                long(1_000_000)
            ),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(19)),
            200,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(20)),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", fields(10_000)),
            431,
        ),
    ] {
        let mut client = Connection::open(gateway.address);
        client.write(&request);
        let answer = client.read();
        assert_eq!(
            answer.status,
            status,
            "{} bytes, {}…: {answer:?}",
            request.len(),
            &request[..20]
        );
    }
}

#[test]
fn a_head_has_a_hundred_fields_unless_it_is_said_otherwise() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for (count, status) in [(99, 200), (100, 431)] {
        let fields: String = (0..count).map(|at| format!("X-{at}: 1\r\n")).collect();
        let mut client = Connection::open(gateway.address);
        client.write(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(client.read().status, status, "{count} and a Host");
    }
}

/// hyper drops a fragment, and refuses other characters without a word.
#[test]
fn a_target_with_a_character_that_none_may_hold_is_refused_like_everything_else() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    for (target, path, reason) in [
        ("/a#b", "/a", "the request target holds a `#`"),
        ("/b?c#d", "/b", "the request target holds a `#`"),
        (
            "/c?query=up{job=\"x\"}",
            "/c",
            "the request target holds a character that must be escaped",
        ),
        (
            "/d?a=<b>",
            "/d",
            "the request target holds a character that must be escaped",
        ),
    ] {
        client.write(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = client.read();
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["detail"], reason, "{target}");
        let line = gateway.line(path);
        assert_eq!(
            (&line["status"], &line["reason"]),
            (&400.into(), &reason.into())
        );
        // the same connection goes on, and what is no target may hold what it likes
        client.write(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nX: #<\"\r\nContent-Length: 3\r\n\r\n#<\""
        ));
        assert_eq!(client.read().status, 200);
        assert_eq!(upstream.received().last().unwrap().body, "#<\"");
        client = Connection::open(gateway.address);
    }
}

/// RFC 9112, section 3.2: only HTTP/1.1 must name a host.
#[test]
fn a_request_of_http_1_0_needs_no_host_where_no_service_is_found_by_it() {
    let upstream = Upstream::saying("hi");
    let anywhere = gateway(OPEN).upstream(upstream.address).start();
    for (request, host) in [
        ("GET /a HTTP/1.0\r\n\r\n", "localhost"),
        ("GET http://b.test:81/a HTTP/1.0\r\n\r\n", "b.test:81"),
        ("GET /a HTTP/1.0\r\nHost: c\r\n\r\n", "c"),
    ] {
        let answer = Connection::open(anywhere.address).write(request).read();
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        let received = upstream.received().last().unwrap().clone();
        for name in ["host", "x-forwarded-host"] {
            assert_eq!(received.fields(name), [host], "{request}");
        }
    }
    let named = OPEN.replace("upstream:", "hosts: [localhost], upstream:");
    let named = gateway(&named).upstream(upstream.address).start();
    let answer = Connection::open(named.address)
        .write("GET /a HTTP/1.0\r\n\r\n")
        .read();
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn malformed_requests_are_counted_and_refused_ones_logged() {
    let gateway = gateway(OPEN).start();
    let raw = Connection::open(gateway.address)
        .write("nonsense\r\n\r\n")
        .read_to_end();
    assert!(raw.starts_with("HTTP/1.1 400 "), "{raw:?}");
    let answer = gateway.get("/a/../b?token=hush", "");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["status"], 400);
    let line = gateway.line("/a/../b");
    assert_eq!(
        (&line["status"], &line["decision"]),
        (&400.into(), &"bad_request".into()),
        "{line}"
    );
    assert_eq!(line["reason"], answer.json()["detail"]);
    assert!(!gateway.printed().contains("hush"), "{}", gateway.printed());
    let rejected = gateway.metric("gatelatch_rejected_connections_total{reason=\"malformed\"}");
    assert_eq!(rejected, 1.0, "{}", gateway.metrics());
}
