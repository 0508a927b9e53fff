//! Clients that send more than any answer is worth, while others are served.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::frames::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, GOAWAY, HEADERS,
    PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, field, frame, get_block,
};
use crate::support::{Connection, FrameConnection, Gateway, Upstream, gateway, until};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &str = "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";

const FLOODS: &str = "gatelatch_rejected_connections_total{reason=\"flood\"}";

/// More than is kept of any client, and far less than a flood brings.
const MOST_MEMORY: u64 = 64 << 20;

/// Makes a piece of a flood by its number.
type Make<'a> = &'a (dyn Fn(u32) -> Vec<u8> + Sync);

/// How a flood ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The connection was closed with ENHANCE_YOUR_CALM.
    Calmed,
    /// The connection was closed otherwise.
    Closed,
    /// All was taken.
    Taken,
}

/// Writes pieces of a flood, made by their number, and meanwhile asks on another connection of the same worker.
fn flood(gateway: &Gateway, pieces: u32, make: impl Fn(u32) -> Vec<u8> + Sync) -> End {
    let before = gateway.memory();
    let mut client = FrameConnection::open(gateway.address);
    let mut reader = client.second();
    let (over, all_written) = (AtomicBool::new(false), AtomicBool::new(false));
    let end = std::thread::scope(|scope| {
        scope.spawn(|| {
            // several frames at once: it is about how fast they come
            let written = (0..pieces).step_by(64).all(|first| {
                let together: Vec<u8> = (first..pieces.min(first + 64)).flat_map(&make).collect();
                client.try_write(together)
            });
            all_written.store(written, Ordering::SeqCst);
            client.try_write(frame(PING, 0, 0, b"the last"));
            over.store(true, Ordering::SeqCst);
        });
        let reading = scope.spawn(move || {
            let last = |frame: &Frame| frame.kind == GOAWAY || frame.payload == b"the last";
            std::iter::from_fn(|| reader.read()).find(last)
        });
        let mut probe = Connection::open(gateway.address);
        let mut asked = 0;
        while asked < 20 || !over.load(Ordering::SeqCst) {
            assert_eq!(probe.write(GET).read().status, 200);
            asked += 1;
        }
        match reading.join().unwrap() {
            Some(frame) if frame.kind == GOAWAY && frame.code() == ENHANCE_YOUR_CALM => End::Calmed,
            Some(frame) if frame.kind == PING => End::Taken,
            // a reset may overtake what was said
            Some(_) | None => End::Closed,
        }
    });
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "{grown} bytes more");
    assert!(end != End::Taken || all_written.load(Ordering::SeqCst));
    end
}

fn start(upstream: &Upstream) -> Gateway {
    gateway(OPEN).upstream(upstream.address).workers(1).start()
}

/// A stream that is opened and taken back at once (CVE-2023-44487).
fn rapid_reset(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    let head = frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        stream,
        &get_block("/reset"),
    );
    [head, frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
}

#[test]
fn rapid_resets_end_the_connection() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    assert_eq!(flood(&gateway, 100_000, rapid_reset), End::Calmed);
    until("it is counted", || gateway.metric(FLOODS) == 1.0);
    let event = gateway.named_event("connection_rejected");
    assert_eq!(
        (&event["reason"], &event["client_ip"]),
        (&"flood".into(), &"127.0.0.1".into()),
        "{event}"
    );
    let forwarded = upstream
        .received()
        .iter()
        .filter(|request| request.line().contains("/reset"))
        .count();
    assert!(
        forwarded < 1000,
        "{forwarded} that were taken back were forwarded"
    );
}

/// Streams that the gateway must reset, because their length is not what they say.
fn wrong_stream(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    let block = [get_block("/wrong"), field("content-length", "5")].concat();
    [
        frame(HEADERS, END_HEADERS, stream, &block),
        frame(DATA, END_STREAM, stream, b"more than five"),
    ]
    .concat()
}

#[test]
fn streams_that_must_be_reset_end_the_connection() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    assert_eq!(flood(&gateway, 100_000, wrong_stream), End::Calmed);
    until("it is counted", || gateway.metric(FLOODS) == 1.0);
}

#[test]
fn heads_without_end_end_the_connection() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let endless = |number: u32| match number {
        0 => frame(HEADERS, END_STREAM, 1, &get_block("/endless")),
        _ => frame(
            CONTINUATION,
            0,
            1,
            &field(&format!("x-{number}"), &"y".repeat(100)),
        ),
    };
    assert_eq!(flood(&gateway, 100_000, endless), End::Calmed);
    let empty = |number: u32| match number {
        0 => frame(HEADERS, END_STREAM, 1, &get_block("/endless")),
        _ => frame(CONTINUATION, 0, 1, &[]),
    };
    assert_eq!(flood(&gateway, 100_000, empty), End::Calmed);
    until("both are counted", || gateway.metric(FLOODS) == 2.0);
}

#[test]
fn frames_that_ask_for_nothing_do_no_harm() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let ping = |_| frame(PING, 0, 0, &[1; 8]);
    let settings = |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
    let priority = |_| frame(2, 0, 1, &[0; 5]);
    let unknown = |_| frame(0xfa, 0, 0, b"?");
    let empty_data = |number: u32| match number {
        0 => frame(
            HEADERS,
            END_HEADERS,
            1,
            &[&[0x83, 0x86, 0x84][..], &field(":authority", "a")].concat(),
        ),
        _ => frame(DATA, 0, 1, &[]),
    };
    let small_data = |number: u32| match number {
        0 => frame(
            HEADERS,
            END_HEADERS,
            1,
            &[&[0x83, 0x86, 0x84][..], &field(":authority", "a")].concat(),
        ),
        _ => frame(DATA, 0, 1, b"x"),
    };
    let windows = |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
    let kinds: [(&str, Make<'_>); 7] = [
        ("ping", &ping),
        ("settings", &settings),
        ("priority", &priority),
        ("unknown", &unknown),
        ("empty data", &empty_data),
        ("small data", &small_data),
        ("windows", &windows),
    ];
    for (kind, make) in kinds {
        let end = flood(&gateway, 100_000, make);
        assert_ne!(
            end,
            End::Closed,
            "{kind}: it is taken, or the client is told to calm down"
        );
    }
}

#[test]
fn a_flood_whose_answers_are_not_read_is_cut_off() {
    let upstream = Upstream::saying("hi");
    let server = "timeouts: { body: 300ms }";
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .workers(1)
        .server(server)
        .start();
    let before = gateway.memory();
    let mut client = FrameConnection::open(gateway.address);
    let pings = frame(PING, 0, 0, &[1; 8]).repeat(1000);
    let mut written = 0;
    while client.try_write(&pings) {
        written += 1;
        assert!(written < 100_000, "it is never cut off");
    }
    assert!(gateway.memory().saturating_sub(before) < MOST_MEMORY);
    until("it is counted", || {
        gateway.metric("gatelatch_rejected_connections_total{reason=\"timeout\"}") == 1.0
    });
}

fn dawdle(address: SocketAddr, piece: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(piece).unwrap();
    stream
}

#[test]
fn slow_clients_do_not_slow_the_others() {
    let upstream = Upstream::saying("hi");
    let start = |time: &str| {
        gateway(OPEN)
            .upstream(upstream.address)
            .workers(1)
            .server(&format!(
                "timeouts: {{ header: {time}, body: {time}, handshake: {time} }}"
            ))
            .start()
    };
    let pieces: [&[u8]; 5] = [
        b"",
        b"GET / HT",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
    ];
    let crowd = |gateway: &Gateway| -> Vec<TcpStream> {
        (0..500)
            .map(|number| dawdle(gateway.address, pieces[number % 5]))
            .collect()
    };
    // none of them is given up, and who waited for one of them would wait longer than the test
    let patient = start("1h");
    let waiting = crowd(&patient);
    let mut probe = Connection::open(patient.address);
    for _ in 0..200 {
        assert_eq!(probe.write(GET).read().status, 200);
    }
    drop((waiting, probe, patient));

    let gateway = start("1s");
    let slow = crowd(&gateway);
    // each is given up in its time, but those that have begun HTTP/2 properly: they may rest
    until("the slow ones are gone", || {
        gateway.metric("gatelatch_client_connections") <= 100.0
    });
    assert!(
        gateway.printed().matches("connection_rejected").count() < 200,
        "{}",
        gateway.printed()
    );
    until("the rest is said", || {
        gateway.printed().contains("\"suppressed\":")
    });
    drop(slow);
}
