//! A connection whose answer, or the next piece of it, is long in coming gives its buffers back meanwhile, and nobody can
//! tell.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use crate::support::{Authority, Connection, Gateway, RawUpstream, TlsClient, gateway, until};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

/// Waits until so many connections hold no buffers.
fn parked(gateway: &Gateway, count: usize) {
    until(&format!("{count} are parked"), || {
        gateway.metric("gatelatch_parked_connections") == count as f64
    });
}

/// Writes its answer piece by piece, each when it is told to.
struct Slow {
    upstream: RawUpstream,
    go_on: Sender<()>,
}

impl Slow {
    /// The answers to one request after the other, as pieces.
    fn of(answers: &'static [&'static [&'static str]]) -> Self {
        let (go_on, gone_on) = channel();
        let gone_on = Mutex::new(gone_on);
        let upstream = RawUpstream::new(move |mut wire, _| {
            for answer in answers {
                let Some(head) = wire.head() else { return };
                if head.to_lowercase().contains("content-length: 5\r\n") {
                    assert_eq!(wire.exact(5).unwrap(), "hello");
                }
                if head.to_lowercase().contains("chunked\r\n") {
                    while wire.chunk().is_some() {}
                }
                for piece in *answer {
                    gone_on.lock().unwrap().recv().unwrap();
                    wire.say(piece);
                }
            }
        });
        Self { upstream, go_on }
    }

    fn gateway(&self) -> Gateway {
        gateway(OPEN)
            .upstream(self.upstream.address)
            .workers(1)
            .start()
    }

    /// Lets the next piece go, once the connection of the client is parked.
    fn next(&self, gateway: &Gateway) {
        parked(gateway, 1);
        self.go_on.send(()).unwrap();
    }
}

const HI: &[&str] = &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"];

#[test]
fn an_answer_that_is_long_in_coming_arrives_whatever_was_asked() {
    let service = Slow::of(&[HI, HI, HI, HI, HI]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    for request in [
        GET,
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    ] {
        client.write(request);
        service.next(&gateway);
        let answer = client.read();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "hi"),
            "{request}"
        );
    }
    // what comes meanwhile is answered afterwards
    client.write(GET);
    parked(&gateway, 1);
    client.write(GET);
    service.next(&gateway);
    assert_eq!(client.read().body, "hi");
    service.next(&gateway);
    assert_eq!(client.read().body, "hi");
}

#[test]
fn the_last_answer_of_a_connection_is_the_last_after_a_pause_too() {
    for (request, version) in [
        (
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "HTTP/1.1",
        ),
        ("GET /a HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.0"),
    ] {
        let service = Slow::of(&[HI]);
        let gateway = service.gateway();
        let mut client = Connection::open(gateway.address);
        client.write(request);
        service.next(&gateway);
        let answer = client.read_to_end();
        assert!(answer.starts_with(&format!("{version} 200 ")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
    }
}

#[test]
fn an_answer_to_head_has_no_body_after_a_pause_either() {
    let service = Slow::of(&[&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"], HI]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    service.next(&gateway);
    let head = client.read_head().unwrap();
    assert!(head.contains("\r\ncontent-length: 2\r\n"), "{head}");
    client.write(GET);
    service.next(&gateway);
    assert_eq!(client.read().body, "hi");
}

#[test]
fn the_pieces_of_an_answer_arrive_with_pauses_between_them() {
    let service = Slow::of(&[
        &[
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:\n\r\n",
            "3\r\none\r\n",
            "3\r\ntwo\r\n0\r\n\r\n",
        ],
        &[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2\r\nhi\r\n",
            "0\r\n\r\n",
        ],
        &["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", "cd", "ef"],
        HI,
    ]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write(GET);
    service.next(&gateway);
    let head = client.read_head().unwrap();
    assert_eq!(head.matches("HTTP/1.1").count(), 1, "{head}");
    assert_eq!(client.read_chunk(), "data:\n");
    for piece in ["one", "two"] {
        service.next(&gateway);
        assert_eq!(client.read_chunk(), piece);
    }
    assert_eq!(client.read_exact(5), "0\r\n\r\n");
    client.write(GET);
    service.next(&gateway);
    client.read_head().unwrap();
    service.next(&gateway);
    assert_eq!(client.read_chunk(), "hi");
    service.next(&gateway);
    assert_eq!(client.read_exact(5), "0\r\n\r\n");
    client.write(GET);
    service.next(&gateway);
    let head = client.read_head().unwrap();
    assert!(head.contains("\r\ncontent-length: 6\r\n"), "{head}");
    for piece in ["ab", "cd", "ef"] {
        assert_eq!(client.read_exact(2), piece);
        if piece != "ef" {
            service.next(&gateway);
        }
    }
    client.write(GET);
    service.next(&gateway);
    assert_eq!(client.read().body, "hi");
    assert_eq!(gateway.line("/a")["status"], 200);
}

#[test]
fn chunks_are_whole_wherever_the_service_pauses() {
    const BEGIN: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const CHUNKS: &str = "1\r\n:\r\n6\r\nhe\r\nlo\r\n4;a=b\r\n, ho\r\n";
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let cuts = || (0..CHUNKS.len()).step_by(3);
    let answers: Vec<&[&str]> = cuts()
        .map(|cut| {
            let (begin, rest) = CHUNKS.split_at(cut);
            let pieces = [format!("{BEGIN}{begin}"), format!("{rest}0\r\n\r\n")];
            &*Box::leak(Box::new(pieces.map(leak))) as &[&str]
        })
        .collect();
    let service = Slow::of(answers.leak());
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    for cut in cuts() {
        client.write(GET);
        service.go_on.send(()).unwrap();
        client.read_head().unwrap();
        service.next(&gateway);
        assert_eq!(client.read_chunks(), ":he\r\nlo, ho", "{cut}");
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_does_so_after_a_pause() {
    let service = Slow::of(&[&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "2\r\ncd\r\n0\r\n\r\n",
    ]]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HTTP/1.0\r\nHost: a\r\n\r\n");
    service.next(&gateway);
    let head = client.read_head().unwrap();
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(client.read_exact(2), "ab");
    service.next(&gateway);
    assert_eq!(client.read_to_end(), "cd");
}

#[test]
fn trailers_come_behind_a_pause() {
    let service = Slow::of(&[&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Time\r\n\r\n2\r\nyo\r\n",
        "0\r\nX-Time: 5\r\n\r\n",
    ]]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    service.next(&gateway);
    client.read_head().unwrap();
    assert_eq!(client.read_chunk(), "yo");
    service.next(&gateway);
    let rest = "0\r\nx-time: 5\r\n\r\n";
    assert_eq!(client.read_exact(rest.len()).to_lowercase(), rest);
}

#[test]
fn interim_answers_come_in_a_pause() {
    let service = Slow::of(&[&[
        "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ]]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write(GET);
    for status in ["103 Early Hints", "200 OK"] {
        service.next(&gateway);
        let head = client.read_head().unwrap();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{head}"
        );
    }
    assert_eq!(client.read_exact(2), "hi");
}

#[test]
fn a_client_that_leaves_in_a_pause_is_noticed() {
    let (left, has_left) = channel();
    let left = Mutex::new(left);
    let upstream = RawUpstream::new(move |mut wire, number| {
        wire.head().unwrap();
        if number > 0 {
            wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
        }
        assert_eq!(wire.exact(1), None);
        left.lock().unwrap().send(number).unwrap();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).workers(1).start();
    for number in 0..2 {
        let mut client = Connection::open(gateway.address);
        client.write(GET);
        parked(&gateway, 1);
        drop(client);
        assert_eq!(has_left.recv().unwrap(), number);
        parked(&gateway, 0);
    }
    assert_eq!(gateway.line("/a")["aborted"], "client");
}

#[test]
fn an_answer_that_breaks_off_in_a_pause_is_not_completed() {
    // behind its last piece the service ends
    let service = Slow::of(&[&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "",
    ]]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write(GET);
    service.next(&gateway);
    client.read_head().unwrap();
    assert_eq!(client.read_chunk(), "ab");
    service.next(&gateway);
    assert_eq!(client.read_to_end(), "", "without the last chunk");
    assert_eq!(gateway.line("/a")["aborted"], "upstream");
}

#[test]
fn a_drain_waits_for_an_answer_that_is_long_in_coming() {
    let service = Slow::of(&[HI]);
    let mut gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write(GET);
    parked(&gateway, 1);
    gateway.signal("TERM");
    gateway.event("draining");
    service.go_on.send(()).unwrap();
    let answer = client.read_to_end();
    assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn pauses_over_tls_are_no_different() {
    let authority = Authority::new("test");
    let certified = authority.issue(&["gateway.test"]);
    let service = Slow::of(&[
        &["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", "cd"],
        HI,
    ]);
    let builder = gateway(OPEN)
        .upstream(service.upstream.address)
        .workers(1)
        .server("tls: { certificate: tls.crt, private_key: tls.key }");
    let gateway = builder
        .prepare(move |folder| drop(certified.write(folder, "tls")))
        .start();
    let client = TlsClient::new(&[authority.certificate()], None);
    let mut stream = client.connect(gateway.address).unwrap();
    for ends in [vec!["ab", "cd"], vec!["hi"]] {
        stream.write_all(GET.as_bytes()).unwrap();
        for end in ends {
            service.next(&gateway);
            read_until(&mut stream, end);
        }
    }
}

fn read_until(stream: &mut impl Read, end: &str) {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "{read:?}");
        read.extend_from_slice(&piece[..count]);
    }
}

/// hyper alone knows of both, and closes the connection behind the answer (RFC 9112, section 6.1).
#[test]
fn a_request_of_two_lengths_is_the_last_of_its_connection_however_long_its_answer_takes() {
    let service = Slow::of(&[HI, HI]);
    let gateway = service.gateway();
    let mut client = Connection::open(gateway.address);
    client.write(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    );
    // the other one begins to wait later, and is parked
    let mut other = Connection::open(gateway.address);
    other.write(GET);
    parked(&gateway, 1);
    service.go_on.send(()).unwrap();
    service.go_on.send(()).unwrap();
    assert!(client.read_to_end().ends_with("\r\n\r\nhi"));
    assert_eq!(other.read().body, "hi");
}

/// The gateway looks into documents of a length that it may have to change, and gives up where they are long.
#[test]
fn a_long_document_keeps_its_announced_length() {
    let (begin, rest) = ("x".repeat(3 << 20), "y".repeat(1 << 20));
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        begin.len() + rest.len()
    );
    let first: &str = Box::leak((head + &begin).into_boxed_str());
    let pieces: &[&str] = Box::leak(Box::new([first, Box::leak(rest.into_boxed_str())]));
    let service = Slow::of(Box::leak(Box::new([pieces])));
    let documented = OPEN.replace("rules:", "openapi: { path: /a }, rules:");
    let gateway = gateway(&documented)
        .upstream(service.upstream.address)
        .workers(1)
        .start();
    let mut client = Connection::open(gateway.address);
    client.write("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    service.go_on.send(()).unwrap();
    let head = client.read_head().unwrap();
    assert!(head.contains("\r\ncontent-length: 4194304\r\n"), "{head}");
    let mut received = client.read_exact(begin.len());
    service.next(&gateway);
    received += &client.read_to_end();
    let ends = received.trim_start_matches('x').trim_start_matches('y');
    assert_eq!((received.len(), ends), (4 << 20, ""));
}
