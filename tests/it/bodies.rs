//! Bodies pass piece by piece, in both directions, and never pile up.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::{Connection, RawUpstream, Upstream, gateway, ok, until};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone }, { path: /closed, allow: nobody } ] }
";

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hundred megabytes, a piece at a time.
const PIECE: usize = 1024 * 1024;
const PIECES: usize = 100;
/// What the gateway may grow by while they pass.
const GROWTH: u64 = 24 * 1024 * 1024;

#[test]
fn an_upload_arrives_before_it_is_complete() {
    let (arrived, first) = channel();
    let arrived = Mutex::new(arrived);
    let upstream = RawUpstream::new(move |mut wire, _| {
        while let Some(head) = wire.head() {
            let (early, late) = if head.contains("chunked") {
                (10, 15)
            } else {
                (5, 5)
            };
            arrived
                .lock()
                .unwrap()
                .send(wire.exact(early).unwrap())
                .unwrap();
            wire.exact(late).unwrap();
            wire.say(ok("done"));
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for (field, pieces, seen) in [
        ("Content-Length: 10", ["first", "other"], "first"),
        (
            "Transfer-Encoding: chunked",
            ["5\r\nfirst\r\n", "5\r\nother\r\n0\r\n\r\n"],
            "5\r\nfirst\r\n",
        ),
    ] {
        let mut client = Connection::open(gateway.address);
        client.write(format!(
            "POST /a HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n{}",
            pieces[0]
        ));
        let first = first.recv_timeout(PATIENCE).unwrap();
        assert!(first.starts_with(seen), "{first:?}");
        assert_eq!(client.write(pieces[1]).read().body, "done");
    }
}

#[test]
fn a_download_arrives_before_it_is_complete() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = RawUpstream::new(move |mut wire, _| {
        while let Some(head) = wire.head() {
            let chunked = head.contains("/chunked");
            let (head, pieces) = if chunked {
                (
                    "Transfer-Encoding: chunked",
                    ["5\r\nfirst\r\n", "5\r\nother\r\n0\r\n\r\n"],
                )
            } else {
                ("Content-Length: 10", ["first", "other"])
            };
            wire.say(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{}", pieces[0]));
            wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            wire.say(pieces[1]);
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client
        .write("GET /length HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    assert_eq!(client.read_exact(5), "first");
    go.send(()).unwrap();
    assert_eq!(client.read_exact(5), "other");
    client
        .write("GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    assert_eq!(client.read_chunk(), "first");
    go.send(()).unwrap();
    assert_eq!(client.read_chunk(), "other");
    assert_eq!(client.read_chunk(), "");
    let line = gateway.line("/chunked");
    assert_eq!(
        (&line["bytes"], line.get("aborted")),
        (&10.into(), None),
        "{line}"
    );
}

#[test]
fn a_hundred_megabytes_pass_in_flat_memory() {
    let upstream = RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap();
        if head.starts_with("POST") {
            let body = wire
                .exact(PIECE)
                .map(|_| (1..PIECES).filter(|_| wire.exact(PIECE).is_some()).count() + 1);
            wire.say(ok(&body.unwrap().to_string()));
        } else {
            wire.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                PIECE * PIECES
            ));
            let piece = vec![b'x'; PIECE];
            for _ in 0..PIECES {
                wire.say(&piece);
            }
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let before = gateway.memory();
    let piece = vec![b'x'; PIECE];
    let mut client = Connection::open(gateway.address);
    client.write(format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        PIECE * PIECES
    ));
    let mut most = 0;
    for _ in 0..PIECES {
        client.write(&piece);
        most = most.max(gateway.memory());
    }
    assert_eq!(client.read().body, PIECES.to_string());
    client
        .write("GET /down HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_head()
        .unwrap();
    for _ in 0..PIECES {
        client.read_exact(PIECE);
        most = most.max(gateway.memory());
    }
    assert!(
        most < before + GROWTH,
        "{before} bytes before, {most} at the most"
    );
    assert_eq!(gateway.line("/down")["bytes"], PIECE * PIECES);
}

const ASKS: &str =
    "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn a_client_that_asks_first_is_told_to_continue_when_the_upstream_says_so() {
    let (allow, allowed) = std::sync::mpsc::channel::<()>();
    let allowed = std::sync::Mutex::new(allowed);
    let upstream = RawUpstream::new(move |mut wire, _| {
        let head = wire.head().unwrap();
        assert!(
            head.to_lowercase().contains("\r\nexpect: 100-continue\r\n"),
            "{head}"
        );
        allowed.lock().unwrap().recv().unwrap();
        wire.say("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(wire.exact(5).unwrap(), "hello");
        wire.say(ok("hi"));
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write(ASKS);
    until("the upstream has the request", || upstream.accepted() == 1);
    allow.send(()).unwrap();
    assert!(client.read_head().unwrap().starts_with("HTTP/1.1 100 "));
    assert_eq!(client.write("hello").read().body, "hi");
}

#[test]
fn an_upstream_that_never_asks_for_a_body_gets_it_nonetheless() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write(ASKS);
    assert!(client.read_head().unwrap().starts_with("HTTP/1.1 100 "));
    assert_eq!(client.write("hello").read().body, "hi");
    assert_eq!(upstream.only().body, "hello");
}

#[test]
fn an_upstream_that_refuses_a_body_is_heard_before_it_is_sent() {
    let upstream = RawUpstream::new(|mut wire, _| {
        wire.head().unwrap();
        wire.say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
        assert_eq!(wire.drain(), 0, "the body that was refused");
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for connections in 1..=2 {
        let mut client = Connection::open(gateway.address);
        let answer = client.write(ASKS).read();
        assert_eq!((answer.status, answer.body.as_str()), (417, "no"));
        assert_eq!(
            upstream.accepted(),
            connections,
            "a connection whose body was never sent is not used again"
        );
    }
}

#[test]
fn a_client_that_asks_first_is_told_so_when_it_may_not() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let request =
        "POST /closed HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 33\r\n\r\n";
    let mut client = Connection::open(gateway.address);
    let answer = client.write(request).read();
    assert_eq!(answer.status, 403, "{answer:?}");
    // whether a body follows is open, so nothing else can
    client.write("GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_read().is_none());
    assert!(upstream.received().is_empty());
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_is_announced() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("limits: { body: 10 }")
        .start();
    let table = [
        ("Content-Length: 10\r\n", "0123456789", 200),
        ("Content-Length: 11\r\n", "0123456789A", 413),
        ("Content-Length: 11\r\nExpect: 100-continue\r\n", "", 413),
        (
            "Transfer-Encoding: chunked\r\n",
            "A\r\n0123456789\r\n0\r\n\r\n",
            200,
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            "5\r\n01234\r\n6\r\n56789A\r\n0\r\n\r\n",
            413,
        ),
    ];
    for (fields, body, status) in table {
        let mut client = Connection::open(gateway.address);
        let answer = client
            .write(format!("POST /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}"))
            .read();
        assert_eq!(answer.status, status, "{fields:?}: {answer:?}");
        if status == 413 {
            assert_eq!(answer.header("connection"), "close");
            assert!(client.try_read().is_none(), "{fields:?}");
            assert_eq!(gateway.line("/a")["status"], 413);
        } else {
            gateway.line("/a");
        }
    }
    assert_eq!(upstream.received().len(), 2, "{:#?}", upstream.received());
}

/// Large enough that no socket buffer on the way takes all of it.
const LARGE: usize = 40 * PIECE;

#[test]
fn a_refused_upload_hears_why_although_it_goes_on_sending() {
    let gateway = gateway(OPEN).server("limits: { body: 10 }").start();
    let piece = vec![b'x'; PIECE];
    for (path, status) in [("/a", 413), ("/closed", 403)] {
        let mut client = Connection::open(gateway.address);
        client.write(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n"
        ));
        for _ in 0..LARGE / PIECE {
            // it panics where the connection is reset
            client.write(&piece);
        }
        assert_eq!(client.finish().read().status, status);
        assert!(client.try_read().is_none());
    }
}

#[test]
fn an_early_answer_arrives_and_its_connections_are_not_used_again() {
    let upstream = RawUpstream::new(|mut wire, connection| {
        while let Some(head) = wire.head() {
            wire.say(ok(&connection.to_string()));
            if head.starts_with("POST") {
                wire.drain();
            }
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    let mut client = Connection::open(gateway.address);
    client.write("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf of it");
    assert_eq!(client.read().body, "0");
    assert_eq!(
        gateway.get("/after", "").body,
        "1",
        "the half-read upload holds its connection"
    );
}

#[test]
fn a_client_that_goes_away_ends_its_upload() {
    let (ended, end) = channel();
    let ended = Mutex::new(ended);
    let upstream = RawUpstream::new(move |mut wire, _| {
        let head = wire.head().unwrap();
        let body = wire.drain();
        ended.lock().unwrap().send((head, body)).unwrap();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write("POST /gone HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf of it");
    drop(client);
    let (head, body) = end.recv_timeout(PATIENCE).unwrap();
    assert!(
        head.starts_with("POST /gone ") && body <= 10,
        "{head} {body}"
    );
    let line = gateway.line("/gone");
    assert_eq!(
        line["reason"], "the request body is malformed or ended early",
        "{line}"
    );
}

#[test]
fn a_client_that_goes_away_ends_the_wait_for_its_answer() {
    let (ended, end) = channel();
    let ended = Mutex::new(ended);
    let upstream = RawUpstream::new(move |mut wire, _| {
        wire.head().unwrap();
        ended.lock().unwrap().send(()).unwrap();
        wire.drain();
        ended.lock().unwrap().send(()).unwrap();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    end.recv_timeout(PATIENCE).unwrap();
    drop(client);
    end.recv_timeout(PATIENCE).unwrap();
    let line = gateway.line("/gone");
    assert_eq!(
        (&line["status"], &line["aborted"]),
        (&0.into(), &"client".into()),
        "{line}"
    );
}

#[test]
fn interim_answers_come_before_the_answer() {
    let (go_on, gone_on) = channel::<()>();
    let gone_on = Mutex::new(gone_on);
    let upstream = RawUpstream::new(move |mut wire, _| {
        while wire.head().is_some() {
            wire.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: close\r\n\r\n");
            gone_on.lock().unwrap().recv().unwrap();
            wire.say("HTTP/1.1 199 Own\r\nX-A: b\r\n\r\n".to_owned().into_bytes());
            wire.say(ok("hi"));
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    for _ in 0..2 {
        client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        let hints = client.read_head().unwrap();
        assert_eq!(
            hints,
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"
        );
        go_on.send(()).unwrap();
        assert!(client.read_head().unwrap().starts_with("HTTP/1.1 199 "));
        assert_eq!(client.read().body, "hi");
    }
    client.write("GET /a HTTP/1.0\r\nHost: a\r\n\r\n");
    go_on.send(()).unwrap();
    assert_eq!(
        client.read().status,
        200,
        "an older client knows nothing of them"
    );
}

/// Trailers that were announced pass both ways, but for those that could be taken for something else.
#[test]
fn trailers_pass() {
    let upstream = RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap().to_lowercase();
        assert!(
            head.contains("\r\ntrailer: x-sum, digest\r\n")
                && head.contains("\r\nte: trailers\r\n"),
            "{head}"
        );
        let sent = "2\r\nhi\r\n0\r\nx-sum: 1\r\ndigest: d\r\n\r\n";
        assert_eq!(wire.exact(sent.len()).unwrap().to_lowercase(), sent);
        wire.say(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Time, Set-Cookie, Content-Length\r\n\r\n\
             2\r\nyo\r\n0\r\nX-Time: 5\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\nX-Unannounced: 1\r\n\r\n",
        );
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write(
        "POST /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Sum, Remote-User, Host, Digest\r\n\r\n\
         2\r\nhi\r\n0\r\nX-Sum: 1\r\nRemote-User: eve\r\nHost: b\r\nDigest: d\r\n\r\n",
    );
    let head = client.read_head().unwrap().to_lowercase();
    assert!(head.contains("\r\ntrailer: x-time\r\n"), "{head}");
    assert_eq!(client.read_chunk(), "yo");
    let rest = "0\r\nx-time: 5\r\n\r\n";
    assert_eq!(client.read_exact(rest.len()).to_lowercase(), rest);
}

/// An answer that ends with trailers is at its end: the next request goes over the same connection.
#[test]
fn a_connection_is_kept_behind_trailers() {
    let upstream = RawUpstream::new(|mut wire, _| {
        for number in 0..3 {
            let Some(head) = wire.head() else { return };
            assert!(head.starts_with("GET /a "), "{head}");
            wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Number\r\n\r\n");
            wire.say(format!("2\r\nyo\r\n0\r\nX-Number: {number}\r\n\r\n"));
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    for number in 0..3 {
        client.write("GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
        client.read_head().unwrap();
        assert_eq!(client.read_chunk(), "yo");
        let rest = format!("0\r\nx-number: {number}\r\n\r\n");
        assert_eq!(client.read_exact(rest.len()).to_lowercase(), rest);
    }
    let line = gateway.line("/a");
    assert!(line.get("aborted").is_none(), "{line}");
}
