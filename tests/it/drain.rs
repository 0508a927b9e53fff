//! The end of a gateway: asked to, it finishes what runs and loses nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Authority, Connection, Gateway, Upstream, gateway, slow, until};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /**, allow: anyone }
";

/// Longer than a second signal may take, and far shorter than the deadlines that it overrides.
const AT_ONCE: Duration = Duration::from_secs(10);

fn ask(connection: &mut Connection, path: &str) {
    connection.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
}

fn readiness(gateway: &Gateway) -> (u16, serde_json::Value) {
    let answer = gateway.probe("/readyz");
    (answer.status, answer.json())
}

#[test]
fn what_runs_is_finished_and_what_rests_is_closed() {
    for signal in ["TERM", "INT"] {
        let (upstream, arrivals, release) = slow();
        let mut gateway = gateway(SERVICES).upstream(upstream.address).start();
        let mut idle = Connection::open(gateway.address);
        ask(&mut idle, "/idle");
        assert_eq!(idle.read().status, 200);
        let mut silent = Connection::open(gateway.address);
        let mut busy = Connection::open(gateway.address);
        ask(&mut busy, "/slow");
        arrivals.recv().unwrap();
        gateway.signal(signal);
        gateway.event("draining");
        assert_eq!(
            (idle.read_to_end(), silent.read_to_end()),
            (String::new(), String::new())
        );
        assert!(
            TcpStream::connect(gateway.address).is_err(),
            "nobody listens any more"
        );
        assert_eq!(
            readiness(&gateway).0,
            503,
            "the admin listener stays to the end"
        );
        release.send(()).unwrap();
        let answer = busy.read();
        assert_eq!(
            (
                answer.status,
                answer.body.as_str(),
                answer.header("connection")
            ),
            (200, "whole", "close")
        );
        assert_eq!(gateway.line("/idle")["status"], 200);
        let line = gateway.line("/slow");
        assert_eq!(
            (line["status"].as_u64(), line["aborted"].as_str()),
            (Some(200), None),
            "{line}"
        );
        assert_eq!(gateway.ended().code(), Some(0));
        assert!(
            gateway.printed().contains("\"message\":\"ended\""),
            "{}",
            gateway.printed()
        );
    }
}

/// What silent connections must not be waited for.
const DEADLINES: &str = "timeouts: { header: 1h, handshake: 1h, drain: 1h }";

#[test]
fn who_has_said_nothing_is_not_waited_for() {
    let authority = Authority::new("test");
    let certified = authority.issue(&["gateway.test"]);
    let tls = format!("tls: {{ certificate: tls.crt, private_key: tls.key }}, {DEADLINES}");
    let secured = gateway(SERVICES)
        .server(&tls)
        .prepare(move |folder| drop(certified.write(folder, "tls")));
    let plain = gateway(SERVICES).server(DEADLINES);
    for (builder, word) in [(plain, &b""[..]), (secured, b"\x16\x03\x01")] {
        let mut gateway = builder.start();
        let (mut silent, mut begun) = (
            Connection::open(gateway.address),
            Connection::open(gateway.address),
        );
        begun.write(word);
        gateway.signal("TERM");
        assert_eq!(
            (silent.read_to_end(), begun.read_to_end()),
            (String::new(), String::new())
        );
        assert_eq!(gateway.ended().code(), Some(0));
    }
}

#[test]
fn a_kept_connection_gets_one_more_answer() {
    let upstream = Upstream::saying("whole");
    let mut gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut connection = Connection::open(gateway.address);
    ask(&mut connection, "/first");
    assert_eq!(connection.read().header("connection"), "");
    gateway.signal("TERM");
    gateway.event("draining");
    // the workers hear of it a moment later
    let last = std::iter::repeat_with(|| {
        ask(&mut connection, "/further");
        connection.read()
    });
    assert_eq!(
        last.map(|answer| answer.header("connection").to_owned())
            .find(|value| !value.is_empty())
            .unwrap(),
        "close"
    );
    assert_eq!(connection.read_to_end(), "");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn during_the_delay_it_is_unready_and_works() {
    let upstream = Upstream::saying("whole");
    let timeouts = "timeouts: { drain_delay: 1h }";
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server(timeouts)
        .start();
    assert_eq!(readiness(&gateway).0, 200);
    gateway.signal("TERM");
    gateway.event("draining");
    let (status, report) = readiness(&gateway);
    assert_eq!(
        (status, &report["ready"], &report["checks"]["running"]),
        (503, &false.into(), &"draining".into())
    );
    for _ in 0..4 {
        assert_eq!(
            gateway.get("/a", "").status,
            200,
            "new connections are served"
        );
    }
    let asked = std::time::Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(asked.elapsed() < AT_ONCE);
}

#[test]
fn the_delay_ends() {
    let upstream = Upstream::saying("whole");
    let timeouts = "timeouts: { drain_delay: 300ms }";
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server(timeouts)
        .start();
    gateway.signal("TERM");
    gateway.event("draining");
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(TcpStream::connect(gateway.address).is_err());
}

#[test]
fn the_deadline_cuts_off_what_hangs() {
    let (upstream, arrivals, _release) = slow();
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("timeouts: { drain: 200ms }")
        .start();
    let mut hanging = Connection::open(gateway.address);
    ask(&mut hanging, "/slow");
    arrivals.recv().unwrap();
    gateway.signal("TERM");
    assert_eq!(hanging.read_to_end(), "");
    let line = gateway.line("/slow");
    assert_eq!(
        (line["status"].as_u64(), line["aborted"].as_str()),
        (Some(0), Some("gateway")),
        "{line}"
    );
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once_and_writes_down_what_it_cuts_off() {
    let (upstream, arrivals, _release) = slow();
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("timeouts: { drain: 1h }")
        .start();
    let mut hanging = Connection::open(gateway.address);
    ask(&mut hanging, "/slow");
    arrivals.recv().unwrap();
    gateway.signal("TERM");
    gateway.event("draining");
    let asked = std::time::Instant::now();
    gateway.signal("INT");
    assert_eq!(hanging.read_to_end(), "");
    assert_eq!(gateway.line("/slow")["aborted"], "gateway");
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(asked.elapsed() < AT_ONCE);
}

#[test]
fn sighup_during_a_drain_changes_nothing() {
    let (upstream, arrivals, release) = slow();
    let mut gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut busy = Connection::open(gateway.address);
    ask(&mut busy, "/slow");
    arrivals.recv().unwrap();
    gateway.signal("TERM");
    gateway.event("draining");
    gateway.signal("HUP");
    release.send(()).unwrap();
    assert_eq!(busy.read().status, 200);
    assert_eq!(gateway.ended().code(), Some(0));
}

/// What became of one request over a raw connection.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// A whole answer; the connection is kept.
    Kept,
    /// A whole answer that says that it is the last one.
    Last,
    /// The connection ended without any byte of an answer.
    Nothing,
    /// Part of an answer.
    Torn(String),
}

fn exchange(stream: &mut TcpStream) -> Fate {
    let mut answer = String::new();
    let mut piece = [0; 4096];
    let sent = stream.write_all(b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n");
    while sent.is_ok() && !answer.ends_with("whole") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer += std::str::from_utf8(&piece[..count]).unwrap(),
        }
    }
    match (
        answer.is_empty(),
        answer.ends_with("whole"),
        answer.contains("connection: close"),
    ) {
        (true, _, _) => Fate::Nothing,
        (false, false, _) => Fate::Torn(answer),
        (false, true, true) => Fate::Last,
        (false, true, false) => Fate::Kept,
    }
}

#[test]
fn a_drain_under_load_loses_no_request() {
    const CLIENTS: usize = 6;
    let upstream = Upstream::saying("whole");
    let mut gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (warm, answered, last) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let refused = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Ok(mut stream) = TcpStream::connect(gateway.address) {
                    stream
                        .set_read_timeout(Some(Duration::from_secs(20)))
                        .unwrap();
                    for round in 0.. {
                        match exchange(&mut stream) {
                            Fate::Kept => answered.fetch_add(1, Ordering::Relaxed),
                            Fate::Last => {
                                answered.fetch_add(1, Ordering::Relaxed);
                                last.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                            // the kernel shakes hands for a listener that is about to close
                            Fate::Nothing if round == 0 => break,
                            fate @ (Fate::Nothing | Fate::Torn(_)) => {
                                panic!("{fate:?} in round {round}")
                            }
                        };
                        if round == 100 {
                            warm.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                refused.store(true, Ordering::Relaxed);
            });
        }
        until("every client is at work", || {
            warm.load(Ordering::Relaxed) >= CLIENTS
        });
        gateway.signal("TERM");
    });
    assert!(refused.load(Ordering::Relaxed));
    assert!(
        last.load(Ordering::Relaxed) >= CLIENTS,
        "each kept connection had a last answer"
    );
    assert_eq!(gateway.ended().code(), Some(0));
    let lines = gateway
        .printed()
        .lines()
        .filter(|line| line.contains("\"path\":\"/load\""))
        .count();
    assert_eq!(
        lines,
        answered.load(Ordering::Relaxed),
        "the access log is complete"
    );
}
