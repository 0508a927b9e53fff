//! What passes through: targets and fields, both ways.

use crate::support::{Answer, GatewayBuilder, Received, Upstream, gateway, send};

const OPEN: &str = "
  all:
    upstream: http://UPSTREAM
    rules:
      - { path: /**, allow: anyone }
      - { path: /private/**, allow: authenticated }
";

/// What the upstream gets of a request with these fields.
fn forwarded(server: &str, path: &str, fields: &str) -> Received {
    let upstream = Upstream::saying("hi");
    let gateway = serving(server).upstream(upstream.address).start();
    let answer = gateway.get(path, fields);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "hi"),
        "{answer:?}"
    );
    upstream.only()
}

/// An open gateway with these lines in its `server` block.
fn serving(server: &str) -> GatewayBuilder {
    match server {
        "" => gateway(OPEN),
        lines => gateway(OPEN).server(lines),
    }
}

/// The answer that a client gets of these bytes of an upstream.
fn relayed(server: &str, method: &str, bytes: &'static str) -> Answer {
    let upstream = Upstream::new(move |_| bytes.into());
    let gateway = serving(server).upstream(upstream.address).start();
    let request = format!("{method} /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let raw = crate::support::Connection::open(gateway.address)
        .write(request)
        .read_to_end();
    let (head, body) = raw
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {raw:?}"));
    let status = head[9..12].parse().unwrap();
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn names(head: &str) -> Vec<&str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect()
}

/// Names of fields stay as they came.
const AS_SENT: &str = "preserve_header_case: true";

#[test]
fn names_of_fields_are_sent_in_lower_case() {
    let request = forwarded("", "/a", "X-First: 1\r\nACCEPT: */*\r\nx-First: 2\r\n");
    let sent = names(&request.head);
    assert_eq!(sent[..4], ["host", "x-first", "x-first", "accept"]);
    let answer = relayed(
        "",
        "GET",
        "HTTP/1.1 200 OK\r\nX-ONE: 1\r\nset-Cookie: a=1\r\nContent-Length: 2\r\nSet-Cookie: b=2\r\n\r\nhi",
    );
    let got = names(&answer.head);
    let expected = ["x-one", "set-cookie", "set-cookie", "content-length"];
    assert_eq!(got[..4], expected, "{answer:?}");
    let is_lower = |name: &&str| !name.bytes().any(|byte| byte.is_ascii_uppercase());
    assert!(sent.iter().chain(&got).all(is_lower), "{sent:?}, {got:?}");
}

#[test]
fn fields_pass_in_their_order_and_spelling() {
    let request = forwarded(
        AS_SENT,
        "/a?b=%2f",
        "X-First: 1\r\nACCEPT: */*\r\nx-First: 2\r\nx-last: z\r\n",
    );
    assert_eq!(request.line(), "GET /a?b=%2f HTTP/1.1");
    assert_eq!(request.fields("x-first"), ["1", "2"]);
    for (name, value) in [
        ("host", "gateway.test"),
        ("via", "1.1 gatelatch"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(request.fields(name), [value], "{request:?}");
    }
    let names = names(&request.head);
    assert_eq!(
        names[..5],
        ["Host", "X-First", "x-First", "ACCEPT", "x-last"],
        "{names:?}"
    );
}

#[test]
fn fields_of_an_answer_pass_in_their_order_and_spelling() {
    let answer = relayed(
        AS_SENT,
        "GET",
        "HTTP/1.1 200 Quite Fine\r\nServer: x\r\nConnection: keep-alive, X-Hop\r\nX-ONE: 1\r\nKeep-Alive: timeout=5\r\n\
         set-Cookie: a=1\r\nX-Hop: secret\r\nSet-Cookie: b=2\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nConnection: x-hop2\r\nX-Hop2: 1\r\n\
         Upgrade: h2c\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\nX-Last: z\r\n\r\nhi",
    );
    assert_eq!(answer.head.lines().next(), Some("HTTP/1.1 200 Quite Fine"));
    let expected = [
        "Server",
        "X-ONE",
        "set-Cookie",
        "Set-Cookie",
        "Date",
        "Content-Length",
        "X-Last",
        "via",
        "Connection",
    ];
    assert_eq!(names(&answer.head), expected, "{answer:?}");
    assert_eq!(
        answer.header("connection"),
        "close",
        "the client's own connection"
    );
    assert_eq!(answer.body, "hi");
}

#[test]
fn hop_by_hop_fields_of_a_request_stay_behind() {
    let request = forwarded(
        "",
        "/a",
        "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nConnection: , x-second ,\r\nX-Second: 2\r\nKeep-Alive: 1\r\n\
         Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\nTrailer: X-T\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nX-Kept: 3\r\n",
    );
    let expected = [
        "host",
        "x-kept",
        "x-forwarded-for",
        "x-real-ip",
        "x-forwarded-proto",
        "x-forwarded-host",
    ];
    let names = names(&request.head);
    assert_eq!(names[..6], expected, "{names:?}");
    assert_eq!(
        names[6..],
        ["x-request-id", "via", "te", "connection"],
        "{names:?}"
    );
    assert_eq!(request.fields("connection"), ["te"], "the gateway's own");
}

#[test]
fn a_connection_line_cannot_remove_what_the_gateway_says() {
    let request = forwarded(
        "",
        "/a",
        "Connection: close, x-real-ip, X-Forwarded-For, x-forwarded-proto, x-forwarded-host, x-request-id, via, host\r\n",
    );
    for name in [
        "x-real-ip",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
        "via",
        "host",
    ] {
        assert_eq!(request.fields(name).len(), 1, "{name}: {request:?}");
    }
}

const SAID: &str = "X-Forwarded-For: 192.0.2.7, 127.0.0.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.test\r\n\
                    X-Real-IP: 192.0.2.8\r\nVia: 1.1 edge\r\nX-Request-Id: of-the-edge\r\nForwarded: for=192.0.2.7\r\n\
                    X-Forwarded-Client-Cert: x\r\ntraceparent: 00-1-2-3\r\n";

#[test]
fn strangers_are_not_believed() {
    let request = forwarded("", "/a", SAID);
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "gateway.test"),
        ("x-real-ip", "127.0.0.1"),
        ("traceparent", "00-1-2-3"),
    ] {
        assert_eq!(request.fields(name), [value], "{request:?}");
    }
    assert_eq!(request.fields("via"), ["1.1 edge", "1.1 gatelatch"]);
    assert_eq!(request.fields("x-request-id")[0].len(), 32);
    assert!(
        request.fields("forwarded").is_empty()
            && request.fields("x-forwarded-client-cert").is_empty()
    );
}

#[test]
fn trusted_proxies_are_believed() {
    let request = forwarded("trusted_proxies: [127.0.0.0/8]", "/a", SAID);
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.7, 127.0.0.9, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "public.test"),
        ("x-real-ip", "192.0.2.7"),
        ("x-request-id", "of-the-edge"),
    ] {
        assert_eq!(request.fields(name), [value], "{request:?}");
    }
}

#[test]
fn the_upstream_sees_the_host_it_is_configured_to_see() {
    let upstream = Upstream::saying("hi");
    let services = "
  preserve: { hosts: [a.test], upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
  upstream:
    hosts: [b.test]
    upstream: { servers: [http://UPSTREAM], host: upstream }
    rules: [ { path: /**, allow: anyone } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    for host in ["A.test:81", "b.test"] {
        assert_eq!(
            send(
                gateway.address,
                format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
            )
            .status,
            200
        );
    }
    let [preserved, replaced] = &upstream.received()[..] else {
        panic!("{:?}", upstream.received())
    };
    assert_eq!(preserved.fields("host"), ["A.test:81"]);
    assert_eq!(replaced.fields("host"), [upstream.address.to_string()]);
    assert_eq!(replaced.fields("x-forwarded-host"), ["b.test"]);
}

#[test]
fn only_the_credential_that_was_used_is_taken_away() {
    let upstream = Upstream::saying("hi");
    let services = "
  remove: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
  forward:
    path: /forward
    upstream: http://UPSTREAM
    identity: { authorization: forward }
    rules: [ { path: /**, allow: anyone } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    let rita = gateway.bearer("rita");
    let bearer = rita.trim_end().strip_prefix("Authorization: ").unwrap();
    let basic = "Basic dXBzdHJlYW06b3du";
    let table = [
        ("/a", bearer, None),
        ("/a", basic, Some(basic)),
        ("/a", "Bearer not.a.token", Some("Bearer not.a.token")),
        ("/forward", bearer, Some(bearer)),
    ];
    for (path, sent, expected) in table {
        assert_eq!(
            gateway
                .get(path, &format!("Authorization: {sent}\r\n"))
                .status,
            200
        );
        let request = upstream.received().pop().unwrap();
        assert_eq!(
            request.fields("authorization"),
            Vec::from_iter(expected),
            "{path} {sent}"
        );
    }
}

#[test]
fn a_target_is_forwarded_as_it_was_matched_and_its_query_byte_for_byte() {
    let upstream = Upstream::saying("hi");
    let services = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
  stripped: { path: /api, strip_path: true, upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";
    let gateway = gateway(services).upstream(upstream.address).start();
    for (sent, expected) in [
        ("/", "/"),
        ("/a/", "/a/"),
        ("/%61%2d%c3%a9", "/a-%C3%A9"),
        (
            "/a?x=%2F..%2f/../;&y=%zz&&'(",
            "/a?x=%2F..%2f/../;&y=%zz&&'(",
        ),
        ("/a?", "/a?"),
        ("/%7Ea?%7Ea", "/~a?%7Ea"),
        ("http://gateway.test/a?b", "/a?b"),
        ("HTTP://GATEWAY.test?b", "/?b"),
        ("http://gateway.test", "/"),
        ("/api/a%2Db?c", "/a-b?c"),
        ("/api?c", "/?c"),
        ("/api/", "/"),
        ("/apis", "/apis"),
    ] {
        let answer = send(
            gateway.address,
            format!("GET {sent} HTTP/1.1\r\nHost: gateway.test\r\n\r\n"),
        );
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        assert_eq!(
            upstream.received().pop().unwrap().line(),
            format!("GET {expected} HTTP/1.1"),
            "{sent}"
        );
    }
}

#[test]
fn answers_without_a_body_stay_without_one() {
    for (method, bytes, status, length) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            200,
            "5",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            200,
            "5",
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            200,
            "",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
            204,
            "",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n",
            304,
            "",
        ),
    ] {
        let answer = relayed("", method, bytes);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, ""),
            "{bytes:?}: {answer:?}"
        );
        assert_eq!(
            answer.header("content-length"),
            length,
            "{bytes:?}: {answer:?}"
        );
    }
}

#[test]
fn an_old_upstream_does_not_make_the_gateway_old() {
    let answer = relayed("", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
    assert_eq!(answer.header("via"), "1.0 gatelatch");
}

#[test]
fn an_old_client_gets_an_answer_that_it_can_read() {
    let upstream = Upstream::new(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".into()
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = crate::support::Connection::open(gateway.address);
    let raw = client
        .write("GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
        .read_to_end();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.0 200 OK\r\n") && !head.contains("transfer-encoding"),
        "{head}"
    );
    assert_eq!(body, "hi");
    assert_eq!(upstream.only().fields("via"), ["1.0 gatelatch"]);
}

/// Without a length the end of the connection ends the answer (RFC 9112, section 6.3), whatever the client has asked for.
#[test]
fn an_old_client_is_told_that_an_answer_without_a_length_ends_the_connection() {
    let upstream = Upstream::new(|asked| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = if asked.line().starts_with("HEAD ") {
            ""
        } else {
            "2\r\nhi\r\n0\r\n\r\n"
        };
        format!("{head}{body}").into()
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let ask = |client: &mut crate::support::Connection, method: &str| {
        client.write(format!(
            "{method} /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
        ));
    };
    let mut client = crate::support::Connection::open(gateway.address);
    ask(&mut client, "HEAD");
    let head = client.read_head().unwrap().to_lowercase();
    assert!(head.contains("connection: keep-alive\r\n"), "{head}");
    ask(&mut client, "GET");
    let raw = client.read_to_end();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let fields = head.to_lowercase();
    let said: Vec<&str> = fields
        .lines()
        .filter(|line| line.starts_with("connection:"))
        .collect();
    assert_eq!((said, body), (vec!["connection: close"], "hi"), "{head}");
}

#[test]
fn each_service_reads_a_path_by_its_own_measure() {
    let upstream = Upstream::saying("hi");
    let services = "
  loose: { path: /loose, upstream: http://UPSTREAM, paths: { merge_slashes: true }, rules: [ { path: /loose/**, allow: anyone } ] }
  strict: { path: /strict, upstream: http://UPSTREAM, rules: [ { path: /strict/**, allow: anyone } ] }
";
    let gateway = gateway(services).upstream(upstream.address).start();
    assert_eq!(gateway.get("/strict//a", "").status, 400);
    assert_eq!(gateway.get("/loose//a", "").status, 200);
    assert_eq!(
        upstream.only().line(),
        "GET /loose/a HTTP/1.1",
        "forwarded as it was matched"
    );
}
