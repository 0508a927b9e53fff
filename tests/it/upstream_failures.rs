//! What a client hears when the upstream fails, and what the operator reads.

use std::net::TcpListener;

use crate::support::{Connection, Gateway, RawUpstream, gateway, ok};

const OPEN: &str = "
  all:
    upstream: { servers: [http://UPSTREAM], timeouts: { connect: 300ms, response: 300ms }, retries: 0 }
    rules: [ { path: /**, allow: anyone } ]
";

const ERRORS: &str = "gatelatch_upstream_errors_total{service=\"all\",kind=";

fn assert_failed(gateway: &Gateway, path: &str, status: u16, detail: &str, kind: &str) {
    let answer = gateway.get(path, "");
    assert_eq!(
        (answer.status, answer.json()["detail"].as_str()),
        (status, Some(detail)),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let line = gateway.line(path);
    assert_eq!(line["status"], status, "{line}");
    assert_eq!(line["decision"], "allowed", "{line}");
    assert!(
        line["upstream"].is_string() && line["reason"].is_string(),
        "{line}"
    );
    assert_eq!(
        gateway.metric(&format!("{ERRORS}\"{kind}\"}}")),
        1.0,
        "{}",
        gateway.metrics()
    );
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = gateway(OPEN).upstream(address).start();
    assert_failed(
        &gateway,
        "/a",
        502,
        "The upstream cannot be reached",
        "connect",
    );
}

#[test]
fn a_name_that_does_not_exist() {
    let services = OPEN
        .replace("UPSTREAM", "no-such-host.invalid:80")
        .replace("connect: 300ms", "connect: 10s");
    let gateway = gateway(&services).start();
    let answer = gateway.get("/a", "");
    assert!(matches!(answer.status, 502 | 504), "{answer:?}");
}

#[test]
fn nobody_accepts() {
    use socket2::{Domain, Socket, Type};
    // with a full queue, further connections are neither made nor refused
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let fillers: Vec<Socket> = (0..4)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address.into());
            filler
        })
        .collect();
    let gateway = gateway(OPEN).upstream(address).start();
    assert_failed(
        &gateway,
        "/a",
        504,
        "The upstream did not answer in time",
        "connect_timeout",
    );
    drop(fillers);
}

#[test]
fn no_answer_in_time() {
    let upstream = RawUpstream::new(|mut wire, _| {
        wire.drain();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    assert_failed(
        &gateway,
        "/a",
        504,
        "The upstream did not answer in time",
        "response_timeout",
    );
    let post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(post).read().status, 504, "after a body too");
    assert_eq!(
        client
            .write("GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
            .read()
            .status,
        504,
        "the client's connection goes on"
    );
}

#[test]
fn an_upload_that_is_not_read_does_not_wait_without_end() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let upstream = RawUpstream::new(move |mut wire, _| {
        wire.head().unwrap();
        // reads nothing more, and keeps the connection open
        let _ = held.lock().unwrap().recv();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write("POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n");
    client.write_while_taken(vec![b'x'; 1024 * 1024], 100);
    let line = gateway.line("/stuck");
    assert_eq!(line["status"], 504, "{line}");
    drop(hold);
}

#[test]
fn a_slow_upload_is_not_the_upstreams_fault() {
    let upstream = crate::support::Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { body: 10s }")
        .start();
    let mut client = Connection::open(gateway.address);
    client.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
    // far longer than the upstream has for its answer: as long as another request takes to be given up
    let silent = RawUpstream::new(|mut wire, _| {
        wire.drain();
    });
    let slow = OPEN.replace("300ms }", "700ms }");
    let other = crate::support::gateway(&slow)
        .upstream(silent.address)
        .start();
    assert_eq!(other.get("/a", "").status, 504);
    assert_eq!(client.write("i").read().body, "hi");
}

#[test]
fn a_closed_connection_is_a_bad_gateway() {
    let upstream = RawUpstream::new(|mut wire, _| drop(wire.head()));
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    assert_failed(
        &gateway,
        "/a",
        502,
        "The upstream closed the connection before its answer",
        "reset",
    );
    let half = RawUpstream::new(|mut wire, _| {
        wire.head().unwrap();
        wire.say("HTTP/1.1 200 OK\r\nContent-Le");
    });
    let gateway = crate::support::gateway(OPEN).upstream(half.address).start();
    assert_failed(
        &gateway,
        "/a",
        502,
        "The upstream closed the connection before its answer",
        "reset",
    );
}

#[test]
fn an_answer_that_breaks_off_breaks_off_for_the_client() {
    let upstream = RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap();
        let chunked = head.contains("/chunked");
        let (field, body) = if chunked {
            ("Transfer-Encoding: chunked", "4\r\nhalf\r\n")
        } else {
            ("Content-Length: 10", "half")
        };
        wire.say(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n{body}"));
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for path in ["/chunked", "/length"] {
        let raw = Connection::open(gateway.address)
            .write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .read_to_end();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{raw:?}");
        assert!(
            body.ends_with("half") || body == "4\r\nhalf\r\n",
            "nothing that looks like an end: {raw:?}"
        );
        let line = gateway.line(path);
        assert_eq!(
            (&line["aborted"], &line["status"], &line["bytes"]),
            (&"upstream".into(), &200.into(), &4.into()),
            "{line}"
        );
        assert!(
            line["reason"]
                .as_str()
                .unwrap()
                .starts_with("the upstream's answer broke off"),
            "{line}"
        );
    }
    assert_eq!(gateway.metric(&format!("{ERRORS}\"reset\"}}")), 2.0);
}

#[test]
fn informational_answers_are_not_the_answer() {
    let upstream = RawUpstream::new(|mut wire, _| {
        while wire.head().is_some() {
            wire.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            wire.say(ok("final"));
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    let hints = client
        .write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    assert!(
        hints.starts_with("HTTP/1.1 103 "),
        "and a 100 that the client did not ask for is not its: {hints}"
    );
    assert_eq!(client.read().body, "final");
}

#[test]
fn an_answer_that_falls_silent_breaks_off() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let upstream = RawUpstream::new(move |mut wire, _| {
        wire.head().unwrap();
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        let _ = held.lock().unwrap().recv();
    });
    let services = OPEN.replace("response: 300ms", "response: 300ms, stream: 300ms");
    let gateway = gateway(&services).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    assert_eq!(client.read_chunk(), "one");
    assert_eq!(client.read_to_end(), "", "nothing that looks like an end");
    let line = gateway.line("/a");
    assert_eq!(
        (&line["aborted"], &line["status"]),
        (&"upstream".into(), &200.into()),
        "{line}"
    );
    assert_eq!(
        line["reason"],
        "the upstream's answer broke off: nothing more came in time"
    );
    assert_eq!(
        gateway.metric(&format!("{ERRORS}\"response_timeout\"}}")),
        1.0,
        "{}",
        gateway.metrics()
    );
    drop(hold);
}

/// What is slow is the client.
#[test]
fn an_answer_that_waits_for_its_client_does_not_break_off() {
    let body = "x".repeat(32 << 20);
    let upstream = crate::support::Upstream::new(move |_| ok(&body));
    let services = OPEN.replace("response: 300ms", "response: 300ms, stream: 300ms");
    let gateway = gateway(&services).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    // far longer than the upstream may be silent: as long as another request takes to be given up
    let silent = RawUpstream::new(|mut wire, _| {
        wire.drain();
    });
    let slow = OPEN.replace("response: 300ms }", "response: 700ms }");
    let other = crate::support::gateway(&slow)
        .upstream(silent.address)
        .start();
    assert_eq!(other.get("/a", "").status, 504);
    assert_eq!(client.read_exact(32 << 20).len(), 32 << 20);
}
