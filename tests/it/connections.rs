//! Connections are kept on both sides, and used again only where that is safe.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::support::{Connection, RawUpstream, Upstream, gateway, ok};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::new(|request| match request.line() {
        "HEAD /a HTTP/1.1" => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n".into(),
        _ => ok(&request.connection.to_string()),
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    for request in [
        GET,
        "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n",
        GET,
        &GET.replace("GET", "POST"),
        GET,
    ] {
        client.write(request);
        if request.starts_with("HEAD") {
            client.read_head().unwrap();
        } else {
            assert_eq!(client.read().body, "0");
        }
    }
    let mut other = Connection::open(gateway.address);
    assert_eq!(other.write(GET).read().body, "0", "for another client too");
    assert_eq!(
        gateway.metric("gatelatch_upstream_connections{state=\"idle\"}"),
        1.0,
        "{}",
        gateway.metrics()
    );
    assert_eq!(
        gateway.metric("gatelatch_upstream_connections{state=\"active\"}"),
        0.0
    );
    assert_eq!(
        gateway.metric("gatelatch_client_connections"),
        2.0,
        "{}",
        gateway.metrics()
    );
}

/// A client that has vanished without a word is noticed in the end, whatever it was waiting for.
#[test]
fn the_system_asks_whether_a_client_is_still_there() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    let port = format!(":{:04X} ", gateway.address.port());
    // local address, remote address, state (01: established), queues, timer (02: keep-alive)
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let accepted = sockets.lines().filter(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        format!("{} ", fields[1]).ends_with(&port)
            && fields[3] == "01"
            && fields[5].starts_with("02:")
    });
    assert_eq!(accepted.count(), 1, "{sockets}");
}

#[test]
fn an_upstream_that_says_close_is_not_asked_again() {
    let upstream = Upstream::new(|request| {
        format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{}",
            request.connection
        )
        .into_bytes()
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    for connection in ["0", "1", "2"] {
        let answer = client.write(GET).read();
        assert_eq!(answer.body, connection);
        assert_eq!(
            answer.header("connection"),
            "",
            "the client's connection is another one"
        );
    }
}

#[test]
fn a_body_until_the_end_of_its_connection_arrives_whole() {
    let upstream = RawUpstream::new(|mut wire, connection| {
        wire.head().unwrap();
        wire.say(format!("HTTP/1.1 200 OK\r\n\r\nall of {connection}"));
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    for connection in 0..3 {
        let answer = client.write(GET).read();
        assert_eq!(
            (answer.status, answer.body),
            (200, format!("all of {connection}"))
        );
    }
}

/// An upstream that answers one request on each connection, and closes it without a word when it gets a second.
fn closing(log: std::sync::mpsc::Sender<String>) -> RawUpstream {
    let log = Mutex::new(log);
    RawUpstream::new(move |mut wire, connection| {
        let log = |head: &str| {
            log.lock()
                .unwrap()
                .send(head.lines().next().unwrap().to_owned())
                .unwrap()
        };
        log(&wire.head().unwrap());
        wire.say(ok(&connection.to_string()));
        if let Some(head) = wire.head() {
            log(&head);
        }
    })
}

#[test]
fn a_read_on_a_connection_that_closes_is_tried_once_more() {
    let (log, logged) = channel();
    let upstream = closing(log);
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    for connection in ["0", "1", "2"] {
        let answer = client.write(GET).read();
        assert_eq!((answer.status, answer.body.as_str()), (200, connection));
    }
    drop(gateway);
    assert_eq!(
        logged.try_iter().count(),
        5,
        "each later one was sent twice"
    );
}

#[test]
fn a_write_is_never_sent_twice() {
    for (field, body) in [
        ("Content-Length: 2", "hi"),
        ("Transfer-Encoding: chunked", "2\r\nhi\r\n0\r\n\r\n"),
        ("X: y", ""),
    ] {
        let (log, logged) = channel();
        let upstream = closing(log);
        let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
        let mut client = Connection::open(gateway.address);
        assert_eq!(client.write(GET).read().status, 200);
        let answer = client
            .write(format!(
                "POST /a HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n{body}"
            ))
            .read();
        assert_eq!(answer.status, 502, "{field}: {answer:?}");
        assert_eq!(
            answer.json()["detail"],
            "The upstream closed the connection before its answer"
        );
        assert_eq!(upstream.accepted(), 1);
        let lines: Vec<String> = logged.try_iter().collect();
        assert_eq!(lines, ["GET /a HTTP/1.1", "POST /a HTTP/1.1"], "{field}");
    }
}

#[test]
fn a_connection_that_the_upstream_has_closed_is_not_used() {
    let upstream = RawUpstream::new(|mut wire, connection| {
        if wire.head().is_some() {
            wire.say(ok(&connection.to_string()));
        }
        // closed as soon as it is answered, without `Connection: close`
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    for expected in ["0", "1", "2"] {
        let answer = client.write(GET).read();
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    }
}

#[test]
fn an_unused_connection_is_closed_before_the_upstream_would_do_it() {
    let (closed, close) = channel();
    let closed = Mutex::new(closed);
    let upstream = RawUpstream::new(move |mut wire, _| {
        while wire.head().is_some() {
            wire.say(
                "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=100\r\nContent-Length: 0\r\n\r\n",
            );
        }
        closed.lock().unwrap().send(()).unwrap();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let answer = gateway.get("/a", "");
    assert_eq!((answer.status, answer.header("keep-alive")), (200, ""));
    close
        .recv_timeout(std::time::Duration::from_secs(10))
        .expect("not after the default of 90 seconds");
}

#[test]
fn an_unused_connection_is_closed_after_its_time() {
    let (closed, close) = channel();
    let closed = Mutex::new(closed);
    let upstream = RawUpstream::new(move |mut wire, _| {
        while wire.head().is_some() {
            wire.say(ok("hi"));
        }
        closed.lock().unwrap().send(()).unwrap();
    });
    let services = "
  all:
    upstream: { servers: [http://UPSTREAM], timeouts: { idle: 300ms } }
    rules: [ { path: /**, allow: anyone } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    assert_eq!(gateway.get("/a", "").status, 200);
    close
        .recv_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    assert_eq!(gateway.get("/a", "").status, 200);
}
