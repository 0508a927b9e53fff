//! Where a message ends: nobody on the way may see that differently.

use crate::support::{Connection, RawUpstream, Upstream, gateway, ok, send};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

/// The second request that an attacker hides behind a first.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_body_without_one_length_is_refused_and_nothing_behind_it_is_read() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let chunks = "2\r\nhi\r\n0\r\n\r\n";
    for (version, fields, body) in [
        ("1.1", "Content-Length: 2\r\nContent-Length: 3\r\n", "hi"),
        ("1.1", "Content-Length: 2, 3\r\n", "hi"),
        ("1.1", "Content-Length: 2, 2\r\n", "hi"),
        ("1.1", "Content-Length: +2\r\n", "hi"),
        ("1.1", "Content-Length: -2\r\n", "hi"),
        ("1.1", "Content-Length: 0x2\r\n", "hi"),
        ("1.1", "Content-Length: 2 2\r\n", "hi"),
        ("1.1", "Content-Length:\r\n", "hi"),
        ("1.1", "Content-Length: 99999999999999999999\r\n", "hi"),
        ("1.1", "Content-Length : 2\r\n", "hi"),
        ("1.1", "Transfer-Encoding: gzip, chunked\r\n", chunks),
        ("1.1", "Transfer-Encoding: chunked, gzip\r\n", chunks),
        ("1.1", "Transfer-Encoding: chunked, chunked\r\n", chunks),
        (
            "1.1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            chunks,
        ),
        (
            "1.1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            chunks,
        ),
        ("1.1", "Transfer-Encoding: identity\r\n", chunks),
        ("1.1", "Transfer-Encoding: xchunked\r\n", chunks),
        ("1.1", "Transfer-Encoding: \x0bchunked\r\n", chunks),
        ("1.1", "Transfer-Encoding: \"chunked\"\r\n", chunks),
        ("1.1", "Transfer-Encoding: chunked;a=b\r\n", chunks),
        ("1.1", "Transfer-Encoding:\r\n", chunks),
        ("1.1", "Transfer-Encoding : chunked\r\n", chunks),
        ("1.1", "Transfer-Encoding:\r\n chunked\r\n", chunks),
        ("1.0", "Transfer-Encoding: chunked\r\n", chunks),
        (
            "1.0",
            "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
            chunks,
        ),
    ] {
        let request = format!("POST /a HTTP/{version}\r\nHost: a\r\n{fields}\r\n{body}{HIDDEN}");
        let raw = Connection::open(gateway.address)
            .write(&request)
            .read_to_end();
        assert!(raw[9..].starts_with("400 "), "{request:?}: {raw:?}");
        assert_eq!(raw.matches("HTTP/1.").count(), 1, "{request:?}: {raw:?}");
    }
    assert!(upstream.received().is_empty(), "{:#?}", upstream.received());
}

#[test]
fn a_length_beside_chunks_does_not_count_and_ends_the_connection() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let (length, coding) = ("Content-Length: 6\r\n", "Transfer-Encoding: chunked\r\n");
    for fields in [format!("{length}{coding}"), format!("{coding}{length}")] {
        let request = format!("POST /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{HIDDEN}");
        let raw = Connection::open(gateway.address)
            .write(&request)
            .read_to_end();
        assert!(
            raw.starts_with("HTTP/1.1 200 ") && raw.matches("HTTP/1.").count() == 1,
            "{raw:?}"
        );
        let request = upstream.received().pop().unwrap();
        assert_eq!(
            (request.line(), request.body.as_str()),
            ("POST /a HTTP/1.1", "")
        );
        assert!(
            request.fields("content-length").is_empty(),
            "{}",
            request.head
        );
        assert_eq!(request.fields("transfer-encoding"), ["chunked"]);
    }
    assert_eq!(
        upstream.received().len(),
        2,
        "the hidden one is not among them"
    );
}

#[test]
fn a_bad_chunk_ends_both_connections() {
    let upstream = RawUpstream::new(|mut wire, _| {
        while wire.head().is_some_and(|head| head.starts_with("GET")) && wire.say(ok("hi")) {}
        wire.drain();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    assert_eq!(gateway.get("/before", "").status, 200);
    for bad in [
        "zz\r\nhello\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello0\r\n\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5_0\r\nhello\r\n",
        "5\nhello\r\n",
        "5\rXhello\r\n",
        "10000000000000005\r\nhello\r\n",
        "5;a\nb\r\nhello\r\n",
    ] {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let raw = Connection::open(gateway.address)
            .write(format!("{head}2\r\nhi\r\n{bad}{HIDDEN}"))
            .read_to_end();
        assert!(raw.starts_with("HTTP/1.1 400 "), "{bad:?}: {raw:?}");
        assert_eq!(raw.matches("HTTP/1.").count(), 1, "{bad:?}: {raw:?}");
        let before = upstream.accepted();
        assert_eq!(gateway.get("/after", "").status, 200);
        assert_eq!(
            upstream.accepted(),
            before + 1,
            "{bad:?}: a connection with half a body is not used again"
        );
        // the connection that is now idle is taken by the next round's upload, and lost with it
    }
}

#[test]
fn chunks_and_lengths_are_written_anew() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for (method, fields, body, expected, length, coding) in [
        (
            "POST",
            "Content-Length: 005\r\n",
            "hello",
            "hello",
            &["5"][..],
            &[][..],
        ),
        (
            "POST",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "hello",
            "hello",
            &["5"],
            &[],
        ),
        ("POST", "Content-Length: 0\r\n", "", "", &["0"], &[]),
        ("POST", "", "", "", &[], &[]),
        (
            "GET",
            "Content-Length: 5\r\n",
            "hello",
            "hello",
            &["5"],
            &[],
        ),
        (
            "POST",
            "Transfer-Encoding: CHUNKED\r\n",
            "5;a=b\r\nhello\r\n0\r\n\r\n",
            "hello",
            &[],
            &["chunked"],
        ),
        (
            "GET",
            "Transfer-Encoding: chunked\r\n",
            "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "hello",
            &[],
            &["chunked"],
        ),
        (
            "DELETE",
            "Transfer-Encoding: chunked\r\n",
            "A\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
            "0123456789",
            &[],
            &["chunked"],
        ),
    ] {
        let answer = send(
            gateway.address,
            format!("{method} /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}"),
        );
        assert_eq!(answer.status, 200, "{method} {fields:?}");
        let request = upstream.received().pop().unwrap();
        assert_eq!(
            request.body, expected,
            "{method} {fields:?}: {}",
            request.head
        );
        assert_eq!(
            request.fields("content-length"),
            length,
            "{method} {fields:?}"
        );
        assert_eq!(
            request.fields("transfer-encoding"),
            coding,
            "{method} {fields:?}"
        );
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Upstream::new(|request| ok(request.line()));
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    let post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /";
    let refused = "GET /../c HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write(format!(
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n{post}{refused}GET /d HTTP/1.1\r\nHost: a\r\n\r\n"
    ));
    for (status, body) in [
        (200, "GET /a HTTP/1.1"),
        (200, "POST /b HTTP/1.1"),
        (400, ""),
        (200, "GET /d HTTP/1.1"),
    ] {
        let answer = client.read();
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.starts_with(body), "{answer:?}");
    }
    let received = upstream.received();
    assert_eq!(received.len(), 3);
    assert!(
        received.iter().all(|request| request.connection == 0),
        "{received:#?}"
    );
}

#[test]
fn a_request_behind_a_refused_body_is_not_executed() {
    let upstream = Upstream::saying("hi");
    let services = "
  all:
    upstream: http://UPSTREAM
    limits: { body: 10 }
    rules: [ { path: /**, allow: anyone }, { path: /closed, allow: nobody } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    for (path, fields, body, status) in [
        ("/a", "Content-Length: 11\r\n", "", "413"),
        (
            "/a",
            "Transfer-Encoding: chunked\r\n",
            "b\r\nhello world\r\n0\r\n\r\n",
            "413",
        ),
        ("/closed", "Content-Length: 100000\r\n", "", "403"),
        ("/closed", "Transfer-Encoding: chunked\r\n", "zz\r\n", "403"),
    ] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{HIDDEN}");
        let raw = Connection::open(gateway.address)
            .write(&request)
            .read_to_end();
        assert!(raw[9..].starts_with(status), "{request:?}: {raw:?}");
        assert_eq!(raw.matches("HTTP/1.").count(), 1, "{request:?}: {raw:?}");
    }
    assert!(
        upstream
            .received()
            .iter()
            .all(|request| !request.head.contains("hidden")),
        "{:#?}",
        upstream.received()
    );
}

#[test]
fn an_answer_without_one_length_is_not_passed_on() {
    let upstream = RawUpstream::new(|mut wire, _| {
        while let Some(head) = wire.head() {
            let answer = match head.split(' ').nth(1).unwrap() {
                "/two-lengths" => {
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"
                }
                "/no-number" => "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi!",
                "/coding" => {
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
                }
                "/no-chunks" => {
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"
                }
                "/both" => {
                    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
                }
                "/both-empty" => {
                    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                }
                "/fold" => "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
                "/nonsense" => "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                "/switch" => {
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            };
            wire.say(answer);
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for (path, body) in [("/both", "hi"), ("/both-empty", "")] {
        let answer = gateway.get(path, "");
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
    }
    for path in [
        "/two-lengths",
        "/no-number",
        "/coding",
        "/no-chunks",
        "/nonsense",
        "/switch",
    ] {
        let answer = gateway.get(path, "");
        assert_eq!(answer.status, 502, "{path}: {answer:?}");
        assert_eq!(
            answer.json()["detail"],
            "The upstream's answer is not HTTP",
            "{path}"
        );
        let line = gateway.line(path);
        assert!(
            line["reason"].as_str().unwrap().contains("not HTTP/1.1"),
            "{line}"
        );
        let after = gateway.get("/after", "");
        assert_eq!(
            (after.status, after.body.as_str()),
            (200, "ok"),
            "after {path}"
        );
    }
}

#[test]
fn an_answer_has_one_length_for_the_client() {
    for (fields, body, length) in [
        ("Content-Length: 2, 2\r\n", "hi", "2"),
        ("Content-Length: 2\r\nContent-Length: 2\r\n", "hi", "2"),
        (
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "2\r\nhi\r\n0\r\n\r\n",
            "",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 99\r\n",
            "2\r\nhi\r\n0\r\n\r\n",
            "",
        ),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}");
        let upstream = Upstream::new(move |_| bytes.clone().into_bytes());
        let gateway = gateway(OPEN).upstream(upstream.address).start();
        let answer = gateway.get("/a", "");
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "hi"),
            "{fields:?}: {answer:?}"
        );
        assert_eq!(
            answer.header("content-length"),
            length,
            "{fields:?}: {answer:?}"
        );
    }
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for first in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi{evil}"),
        format!("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{evil}"),
        format!("HTTP/1.1 304 Not Modified\r\n\r\n{evil}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}"),
    ] {
        let said = first.clone();
        let upstream = RawUpstream::new(move |mut wire, connection| {
            while wire.head().is_some() {
                wire.say(if connection == 0 {
                    said.clone().into_bytes()
                } else {
                    ok("good")
                });
            }
        });
        let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
        let mut client = Connection::open(gateway.address);
        client
            .write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            .read();
        for _ in 0..2 {
            let answer = client
                .write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
                .read();
            assert_eq!(answer.body, "good", "after {first:?}");
        }
    }
}

/// hyper would send the next request as one of HTTP/1.0, where a body without a length has no place.
#[test]
fn a_body_in_chunks_arrives_whole_after_an_answer_of_http_1_0_that_keeps_the_connection() {
    let upstream = RawUpstream::new(|mut wire, _| {
        while let Some(head) = wire.head() {
            let mut body = Vec::new();
            if head
                .to_lowercase()
                .contains("transfer-encoding: chunked\r\n")
            {
                body.extend(std::iter::from_fn(|| wire.chunk()).flatten());
            }
            wire.say(format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n",
                body.len()
            ));
            wire.say(&body);
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read().status, 200);
    client.write(
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!(client.read().body, "hello");
}
