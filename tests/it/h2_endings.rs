//! Connections and streams of HTTP/2 that come to their end: by their client, their time, or the gateway's own end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::frames::{
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS, frame, get_block, window_update,
};
use crate::support::{FrameConnection, RawUpstream, Upstream, gateway, gushing, ok, slow, until};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const TIMEOUTS: &str = "gatelatch_rejected_connections_total{reason=\"timeout\"}";

/// An upstream whose answer never ends.
fn endless() -> RawUpstream {
    RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap();
        if head.starts_with("GET /small") {
            wire.say(ok("small"));
            return;
        }
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        while wire.say(&piece) {}
    })
}

#[test]
fn a_stream_that_the_client_does_not_read_is_reset_and_the_others_go_on() {
    let upstream = endless();
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { body: 300ms }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    // room for others: the one that is not read must not take all of the connection's window
    client.write(window_update(0, 1 << 20)).get(1, "/endless");
    let reset = client.until(|frame| frame.kind == RST_STREAM);
    assert_eq!((reset.stream, reset.code()), (1, CANCEL));
    let line = gateway.line("/endless");
    assert_eq!(
        (&line["aborted"], &line["status"]),
        (&"client".into(), &200.into()),
        "{line}"
    );
    client.get(3, "/small");
    client.until(|frame| frame.stream == 3 && frame.ends_stream());
    assert_eq!(gateway.metric(TIMEOUTS), 0.0, "{}", gateway.metrics());
}

/// What is handed over at once is not yet with the client.
#[test]
fn a_short_answer_that_is_not_read_is_not_written_down_as_taken() {
    let upstream = Upstream::new(|request| {
        ok(&"x".repeat(if request.line().contains("short") {
            100
        } else {
            30_000
        }))
    });
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .workers(1)
        .server("timeouts: { body: 300ms }")
        .start();
    let mut client = FrameConnection::silent(gateway.address);
    // no stream has any window
    let closed = [&4_u16.to_be_bytes()[..], &[0; 4]].concat();
    client.write(PREFACE).write(frame(SETTINGS, 0, 0, &closed));
    for (stream, path) in [(1, "/short"), (3, "/longer")] {
        client.get(stream, path);
        let reset = client.until(|frame| frame.kind == RST_STREAM);
        assert_eq!((reset.stream, reset.code()), (stream, CANCEL));
        let line = gateway.line(path);
        assert_eq!(
            (&line["aborted"], &line["status"]),
            (&"client".into(), &200.into()),
            "{line}"
        );
    }
}

#[test]
fn a_stream_that_the_client_reads_slowly_is_not_reset() {
    let upstream = endless();
    let start = |body: &str| {
        let server = format!("timeouts: {{ body: {body} }}");
        gateway(OPEN)
            .upstream(upstream.address)
            .server(&server)
            .start()
    };
    // the pace: another gateway, which resets a stream that is not read sooner than this one would
    let (gateway, pacemaker) = (start("3s"), start("300ms"));
    let mut pace = FrameConnection::open(pacemaker.address);
    pace.write(window_update(0, 1 << 30));
    let mut client = FrameConnection::open(gateway.address);
    client.write(window_update(0, 1 << 20)).get(1, "/endless");
    let mut received = 0;
    while received < 65_535 {
        received += client.until(|frame| frame.kind == DATA).payload.len();
    }
    // in all more than the time after which it would be reset, if nothing were taken
    for stream in (1..24).step_by(2) {
        pace.get(stream, "/endless");
        pace.until(|frame| frame.kind == RST_STREAM && frame.stream == stream);
        // a little of the next piece only
        client.write(window_update(1, 4000));
        let piece = client.until(|frame| matches!(frame.kind, DATA | RST_STREAM));
        assert_eq!(
            piece.kind, DATA,
            "reset in spite of its pace, at stream {stream}"
        );
    }
}

#[test]
fn a_connection_that_does_not_read_at_all_is_cut_off() {
    let (upstream, end) = gushing();
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { body: 300ms }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    let wide = [&4_u16.to_be_bytes()[..], &(1_u32 << 30).to_be_bytes()].concat();
    client
        .write(frame(SETTINGS, 0, 0, &wide))
        .write(window_update(0, 1 << 30))
        .get(1, "/a");
    end.recv_timeout(Duration::from_secs(10))
        .expect("the upstream's connection ends as well");
    assert_eq!(gateway.line("/a")["aborted"], "client");
    until("it is counted", || gateway.metric(TIMEOUTS) == 1.0);
    drop(client);
}

#[test]
fn an_idle_connection_is_told_goodbye() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { idle: 300ms }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    client.get(1, "/a");
    client.until(|frame| frame.stream == 1 && frame.ends_stream());
    let goaway = client.until(|frame| frame.kind == GOAWAY);
    assert_eq!(goaway.code(), 0);
    // a request that crosses it is answered
    client.get(3, "/late");
    client.until(|frame| frame.stream == 3 && frame.ends_stream());
    client.write(frame(PING, ACK, 0, &[0; 8]));
    client.read_to_end();
    let mut deaf = FrameConnection::open(gateway.address);
    // who does not answer the last ping is not waited for, nor who has only begun with a head
    deaf.write(frame(HEADERS, END_STREAM, 1, &get_block("/half")));
    assert!(deaf.read_to_end().iter().any(|frame| frame.kind == GOAWAY));
    assert_eq!(gateway.metric(TIMEOUTS), 0.0, "{}", gateway.metrics());
}

#[test]
fn a_preface_that_does_not_come_is_not_waited_for() {
    let gateway = gateway(OPEN)
        .server("timeouts: { handshake: 300ms }")
        .start();
    let mut client = FrameConnection::silent(gateway.address);
    client.write(&PREFACE[..20]);
    client.read_to_end();
    until("it is counted", || gateway.metric(TIMEOUTS) == 1.0);
    let event = gateway.named_event("connection_rejected");
    assert_eq!(
        (&event["reason"], &event["client_ip"]),
        (&"timeout".into(), &"127.0.0.1".into()),
        "{event}"
    );
}

#[test]
fn a_drain_says_goaway_and_streams_finish() {
    let (upstream, arrivals, release) = slow();
    let mut gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut idle = FrameConnection::open(gateway.address);
    idle.get(1, "/idle");
    idle.until(|frame| frame.stream == 1 && frame.ends_stream());
    let mut busy = FrameConnection::open(gateway.address);
    busy.get(1, "/slow");
    arrivals.recv().unwrap();
    gateway.signal("TERM");
    let is_goaway = |frame: &Frame| frame.kind == GOAWAY;
    assert_eq!(busy.until(is_goaway).code(), 0);
    assert_eq!(idle.until(is_goaway).code(), 0);
    release.send(()).unwrap();
    assert!(busy.until(|frame| frame.kind == HEADERS).is_ok());
    busy.until(|frame| frame.stream == 1 && frame.ends_stream());
    let line = gateway.line("/slow");
    assert_eq!(
        (line["status"].as_u64(), line["aborted"].as_str()),
        (Some(200), None),
        "{line}"
    );
    assert_eq!(gateway.ended().code(), Some(0));
}

/// Asks until it is told that this ends. Returns how many requests were answered.
fn ask_until_goaway(address: SocketAddr, warm: &AtomicUsize) -> usize {
    let mut client = FrameConnection::open(address);
    for (answered, stream) in (1..).zip((1..).step_by(2)) {
        client.get(stream, "/load");
        let mut last = false;
        loop {
            let frame = client.until(|frame| {
                frame.kind == GOAWAY || (frame.stream == stream && frame.ends_stream())
            });
            if frame.kind != GOAWAY {
                break;
            }
            last = true;
        }
        if answered == 50 {
            warm.fetch_add(1, Ordering::SeqCst);
        }
        if last {
            return answered;
        }
    }
    unreachable!("there is always a next stream")
}

#[test]
fn a_drain_under_load_loses_no_stream() {
    let upstream = Upstream::saying("hi");
    let mut gateway = gateway(OPEN).upstream(upstream.address).start();
    let (address, warm) = (gateway.address, AtomicUsize::new(0));
    let answered: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| ask_until_goaway(address, &warm)))
            .collect();
        until("every client is at work", || {
            warm.load(Ordering::SeqCst) == 6
        });
        gateway.signal("TERM");
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    assert_eq!(gateway.ended().code(), Some(0));
    let lines = gateway
        .printed()
        .lines()
        .filter(|line| line.contains("\"path\":\"/load\""))
        .count();
    assert_eq!(lines, answered, "the access log is complete");
}

#[test]
fn a_stream_is_cut_off_with_the_gateway() {
    let (upstream, arrivals, _release) = slow();
    let mut gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { drain: 200ms }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    client.write(frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &get_block("/slow"),
    ));
    arrivals.recv().unwrap();
    gateway.signal("TERM");
    client.read_to_end();
    assert_eq!(gateway.line("/slow")["aborted"], "gateway");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn slow_clients_of_many_streams_cost_little() {
    const CONNECTIONS: usize = 4;
    const STREAMS: u32 = 50;
    let (stuck, waiting) = std::sync::mpsc::channel();
    let stuck = std::sync::Mutex::new(stuck);
    let upstream = RawUpstream::streams(move |mut stream, _| {
        use std::io::{Read as _, Write as _};
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n");
        let patience = Duration::from_secs(2);
        stream.set_write_timeout(Some(patience)).unwrap();
        // until every buffer on the way is full
        while stream.write(&[b'x'; 64 << 10]).is_ok() {}
        stuck.lock().unwrap().send(stream).unwrap();
    });
    let services = "  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }";
    let gateway = gateway(services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let before = gateway.memory();
    // windows that never end, and nobody who reads
    let settings = [0, 4, 0x7f, 0xff, 0xff, 0xff];
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = FrameConnection::silent(gateway.address);
            client
                .write(PREFACE)
                .write(frame(SETTINGS, 0, 0, &settings));
            client.write(window_update(0, 1 << 30));
            for number in 0..STREAMS {
                client.get(1 + 2 * number, "/a");
            }
            client
        })
        .collect();
    let streams = CONNECTIONS * STREAMS as usize;
    let kept: Vec<_> = waiting.iter().take(streams).collect();
    let each = gateway.memory().saturating_sub(before) / streams as u64;
    assert!(each < 256 << 10, "{each} bytes a stream");
    drop((clients, kept));
}
