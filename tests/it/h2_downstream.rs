//! Requests over HTTP/2, by prior knowledge. Over TLS it is the same behind the handshake.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::frames::{
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, REFUSED_STREAM, RST_STREAM,
    SETTINGS, field, frame,
};
use crate::support::{
    Connection, FrameConnection, RawUpstream, Upstream, curl, gateway, ok, slow, until,
};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const MALFORMED: &str = "gatelatch_rejected_connections_total{reason=\"malformed\"}";

#[test]
fn curl_is_served_in_each_version() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let url = format!("http://{}/a?b", gateway.address);
    for (version, spoken) in [
        ("--http1.0", "1"),
        ("--http1.1", "1.1"),
        // the upgrade that it offers is declined
        ("--http2", "1.1"),
        ("--http2-prior-knowledge", "2"),
    ] {
        let Some(answer) = curl(&[version, &url]) else {
            return;
        };
        assert_eq!(
            (answer.status, answer.version.as_str()),
            (200, spoken),
            "{version}: {answer:?}"
        );
        assert!(answer.text.ends_with("hi"), "{answer:?}");
    }
    for request in upstream.received() {
        assert_eq!(request.line(), "GET /a?b HTTP/1.1");
        assert_eq!(
            request.fields("host"),
            [gateway.address.to_string()],
            "{request:?}"
        );
    }
    assert_eq!(gateway.line("/a")["host"], "127.0.0.1");
}

#[test]
fn bodies_and_fields_pass_in_both_directions() {
    let upstream = Upstream::new(|request| ok(&format!("{}: {}", request.line(), request.body)));
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let url = format!("http://{}/a", gateway.address);
    let body = "x".repeat(300_000);
    std::fs::write(gateway.path("body"), &body).unwrap();
    let body_file = format!("@{}", gateway.path("body").display());
    let arguments = [
        "--http2-prior-knowledge",
        "-d",
        &body_file,
        "-H",
        "Cookie: a=1",
        "-H",
        "Cookie: b=2",
        "-H",
        "X-Some: Thing",
        &url,
    ];
    let Some(answer) = curl(&arguments) else {
        return;
    };
    assert_eq!(answer.status, 200);
    assert!(answer.text.ends_with(&format!("POST /a HTTP/1.1: {body}")));
    let received = upstream.only();
    assert_eq!(
        (received.fields("cookie"), received.fields("x-some")),
        (vec!["a=1; b=2"], vec!["Thing"])
    );
}

#[test]
fn the_preface_is_recognised_in_pieces_of_any_size() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for size in [1, 2, 3, 4, 5, 23, 24] {
        let mut client = FrameConnection::silent(gateway.address);
        for piece in PREFACE.chunks(size) {
            client.write(piece);
        }
        client.write(frame(SETTINGS, 0, 0, &[])).get(1, "/");
        assert!(
            client.until(|frame| frame.kind == HEADERS).is_ok(),
            "{size}"
        );
    }
    for method in ["PRICE", "P", "PR", "PATCH"] {
        let mut client = Connection::open(gateway.address);
        for byte in method.bytes() {
            client.write([byte]);
        }
        assert_eq!(
            client
                .write(" /a HTTP/1.1\r\nHost: a\r\n\r\n")
                .read()
                .status,
            200,
            "{method}"
        );
    }
    for wrong in [
        &b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..],
        b"PRI / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = FrameConnection::silent(gateway.address);
        client.write(wrong);
        assert!(
            client
                .read_to_end()
                .iter()
                .all(|frame| frame.kind != HEADERS)
        );
    }
    until("both are counted", || gateway.metric(MALFORMED) == 2.0);
}

#[test]
fn the_limits_are_announced() {
    let limits = "limits: { streams: 7, header_bytes: 16KiB }";
    let gateway = gateway(OPEN).server(limits).start();
    let settings = FrameConnection::open(gateway.address)
        .until(|frame| frame.kind == SETTINGS && frame.flags == 0);
    let settings: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|entry| {
            (
                u16::from_be_bytes([entry[0], entry[1]]),
                u32::from_be_bytes(entry[2..].try_into().unwrap()),
            )
        })
        .collect();
    // MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE, ENABLE_CONNECT_PROTOCOL
    for expected in [(3, 7), (4, 256 << 10), (6, 16 << 10), (8, 1)] {
        assert!(settings.contains(&expected), "{expected:?} in {settings:?}");
    }
}

/// Browsers split cookies (RFC 9113, section 8.2.3): the service gets one field, and one is counted.
#[test]
fn cookies_count_as_one_field_into_however_many_they_are_split() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("limits: { headers: 20 }")
        .start();
    let url = format!("http://{}/a", gateway.address);
    let cookies: Vec<String> = (0..180).map(|at| format!("Cookie: c{at}=1")).collect();
    for (others, expected) in [(10, 200), (25, 431)] {
        let others: Vec<String> = (0..others).map(|at| format!("X-{at}: y")).collect();
        let fields = cookies.iter().chain(&others);
        let mut arguments = vec!["--http2-prior-knowledge"];
        arguments.extend(fields.flat_map(|field| ["-H", field]));
        arguments.push(&url);
        let Some(answer) = curl(&arguments) else {
            return;
        };
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    let received = upstream.received();
    let cookies = received[0].fields("cookie");
    assert_eq!(cookies.len(), 1);
    assert_eq!(cookies[0].split("; ").count(), 180);
}

#[test]
fn what_is_too_large_or_contradicts_itself_is_refused() {
    let upstream = Upstream::saying("hi");
    let limits = "limits: { headers: 20, header_bytes: 16KiB, body: 10 }";
    // the lines of one worker come in order
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .workers(1)
        .server(limits)
        .start();
    let url = format!("http://{}/a", gateway.address);
    let many: Vec<String> = (0..21).map(|number| format!("X-{number}: y")).collect();
    let long = format!("X: {}", "y".repeat(17_000));
    let with = |fields: &[&str]| {
        let mut arguments = vec!["--http2-prior-knowledge"];
        fields
            .iter()
            .for_each(|field| arguments.extend(["-H", field]));
        arguments.push(&url);
        curl(&arguments)
    };
    let Some(few) = with(&many[..10].iter().map(String::as_str).collect::<Vec<_>>()) else {
        return;
    };
    assert_eq!(few.status, 200, "{few:?}");
    let too_many = with(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!(too_many.status, 431, "{too_many:?}");
    assert_eq!(gateway.line("/a")["status"], 200);
    assert_eq!(
        gateway.line("/a")["reason"],
        "the request has too many header fields"
    );
    assert_eq!(with(&[&long]).unwrap().status, 431);
    // an early answer ends with a reset for no error (RFC 9113, section 8.1), which curl 7 takes for one where it comes
    // amidst of its body
    let too_large =
        || curl(&["--http2-prior-knowledge", "-d", "more than ten bytes", &url]).unwrap();
    let too_large = std::iter::repeat_with(too_large)
        .take(50)
        .find(|answer| answer.code == Some(0))
        .unwrap();
    assert_eq!(too_large.status, 413, "{too_large:?}");
    assert!(
        !too_large.text.to_lowercase().contains("connection:"),
        "{too_large:?}"
    );
    for (method, status) in [("TRACE", 405), ("get", 400)] {
        let answer = curl(&["--http2-prior-knowledge", "-X", method, &url]).unwrap();
        assert_eq!(answer.status, status, "{method}: {answer:?}");
    }
    assert_eq!(
        curl(&[
            "--http2-prior-knowledge",
            "--path-as-is",
            &format!("{url}/../b")
        ])
        .unwrap()
        .status,
        400
    );
}

#[test]
fn another_host_or_scheme_than_the_connections_is_refused() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = FrameConnection::open(gateway.address);
    let block = |scheme: &str, host: &[&str]| {
        let mut block = [
            &[0x82][..],
            &field(":scheme", scheme),
            &field(":path", "/"),
            &field(":authority", "a"),
        ]
        .concat();
        host.iter()
            .for_each(|host| block.extend(field("host", host)));
        block
    };
    for (stream, scheme, host, accepted) in [
        (1, "http", &[][..], true),
        (3, "http", &["A"], true),
        (5, "http", &["b"], false),
        (7, "http", &["a", "a"], false),
        (9, "https", &[], false),
    ] {
        client.write(frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &block(scheme, host),
        ));
        let head = client.until(|frame| frame.kind == HEADERS && frame.stream == stream);
        assert_eq!(head.is_ok(), accepted, "{scheme} {host:?}");
    }
    let connect = [
        &field(":method", "CONNECT")[..],
        &field(":authority", "a:80"),
    ]
    .concat();
    client.write(frame(HEADERS, END_HEADERS, 11, &connect));
    assert!(
        !client
            .until(|frame| frame.kind == HEADERS && frame.stream == 11)
            .is_ok()
    );
    assert_eq!(gateway.line("/")["status"], 200);
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn streams_of_one_connection_do_not_wait_for_each_other() {
    let (upstream, arrivals, release) = slow();
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = FrameConnection::open(gateway.address);
    client.get(1, "/slow");
    arrivals.recv().unwrap();
    for stream in (3..203).step_by(2) {
        client.get(stream, "/fast");
        assert!(
            client
                .until(|frame| frame.kind == HEADERS && frame.stream == stream)
                .is_ok()
        );
    }
    release.send(()).unwrap();
    assert!(
        client
            .until(|frame| frame.kind == HEADERS && frame.stream == 1)
            .is_ok()
    );
}

#[test]
fn one_stream_too_many_is_refused_and_the_others_go_on() {
    let (upstream, arrivals, release) = slow();
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("limits: { streams: 2 }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    client.until(|frame| frame.kind == SETTINGS && frame.flags == ACK);
    client.get(1, "/slow").get(3, "/slow");
    arrivals.recv().unwrap();
    client.get(5, "/slow");
    let refused = client.until(|frame| frame.kind == RST_STREAM);
    assert_eq!((refused.stream, refused.code()), (5, REFUSED_STREAM));
    release.send(()).unwrap();
    release.send(()).unwrap();
    for _ in 0..2 {
        assert!(client.until(|frame| frame.kind == HEADERS).is_ok());
    }
}

#[test]
fn a_body_that_does_not_come_ends_its_stream_only() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { body: 300ms }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    let post = [
        &[0x83, 0x86][..],
        &field(":path", "/late"),
        &field(":authority", "a"),
    ]
    .concat();
    client
        .write(frame(HEADERS, END_HEADERS, 1, &post))
        .write(frame(DATA, 0, 1, b"half"));
    assert!(
        !client
            .until(|frame| frame.kind == HEADERS && frame.stream == 1)
            .is_ok()
    );
    assert_eq!(gateway.line("/late")["status"], 408);
    client.get(3, "/a");
    assert!(
        client
            .until(|frame| frame.kind == HEADERS && frame.stream == 3)
            .is_ok()
    );
}

#[test]
fn a_request_that_the_client_takes_back_is_given_up() {
    let (events, happened) = channel();
    let events = Mutex::new(events);
    let upstream = RawUpstream::new(move |mut wire, _| {
        wire.head().unwrap();
        events.lock().unwrap().send("asked").unwrap();
        // no answer until the gateway has gone
        wire.head();
        events.lock().unwrap().send("left").unwrap();
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = FrameConnection::open(gateway.address);
    client.get(1, "/a");
    assert_eq!(happened.recv_timeout(Duration::from_secs(10)), Ok("asked"));
    client.write(frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()));
    assert_eq!(happened.recv_timeout(Duration::from_secs(10)), Ok("left"));
    assert_eq!(gateway.line("/a")["aborted"], "client");
    // the connection goes on
    client.write(frame(PING, 0, 0, &[7; 8]));
    client.until(|frame| frame.kind == PING && frame.flags == ACK);
}
