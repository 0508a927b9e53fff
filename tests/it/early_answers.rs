//! Answers that are complete before the request is, from services that read no more of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::{Connection, Gateway, RawUpstream, gateway, program};

const SERVICE: &str = "
  all:
    upstream: http://UPSTREAM
    rules: [ { path: /open/**, allow: anyone }, { path: /**, allow: authenticated } ]
";

const TOO_LARGE: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large";

/// Bytes of each upload: more than any buffer on the way holds.
const UPLOAD: usize = 8 << 20;

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

/// Answers at once, and closes with what it has not read: the system resets the connection.
fn closing() -> RawUpstream {
    RawUpstream::streams(|mut stream, _| {
        read_head(&mut stream);
        // so that something unread is there
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.write_all(TOO_LARGE).unwrap();
    })
}

/// Answers at once, and keeps the connection without reading; until the sender is dropped.
fn holding() -> (RawUpstream, std::sync::mpsc::Sender<()>) {
    let (hold, held) = channel::<()>();
    let held = std::sync::Mutex::new(held);
    let upstream = RawUpstream::streams(move |mut stream, _| {
        read_head(&mut stream);
        stream.write_all(TOO_LARGE).unwrap();
        let _ = held.lock().unwrap().recv();
    });
    (upstream, hold)
}

/// hyper gives such an answer up at first, and with it the connection that the request's body goes over.
#[test]
fn an_early_answer_of_many_fields_passes() {
    let fields: String = (0..200)
        .map(|number| format!("X-{number}: 1\r\n"))
        .collect();
    let wordy = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nhi");
    let (heard, rests) = channel();
    let heard = std::sync::Mutex::new(heard);
    let upstream = RawUpstream::streams(move |mut stream, _| {
        read_head(&mut stream);
        stream.write_all(wordy.as_bytes()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        heard.lock().unwrap().send(rest).unwrap();
    });
    let gateway = gateway(SERVICE).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write("POST /open/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    let answer = client.read();
    assert_eq!((answer.status, &*answer.body), (200, "hi"), "{answer:?}");
    assert_eq!(answer.header("x-199"), "1");
    assert_eq!(answer.header("connection"), "close");
    let rest = rests.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(b"abc".starts_with(&rest), "no other request: {rest:?}");
}

fn upload(address: SocketAddr, path: &str) -> (u16, String) {
    let mut client = Connection::open(address);
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {UPLOAD}\r\n\r\n");
    client.write(head);
    let mut writer = client.split();
    let writing = std::thread::spawn(move || {
        writer.write_while_taken(vec![b'x'; 64 << 10], UPLOAD / (64 << 10));
    });
    let answer = client.read();
    writing.join().unwrap();
    (answer.status, answer.body)
}

/// The status and the answer that curl gets over HTTP/2.
fn curl(gateway: &Gateway, path: &str) -> (String, bool) {
    let file = gateway.path("upload");
    std::fs::write(&file, vec![b'x'; UPLOAD]).unwrap();
    let output = Command::new("curl")
        .args([
            "-sS",
            "--http2-prior-knowledge",
            "--max-time",
            "20",
            "-w",
            " %{http_code}",
        ])
        .args([
            "-H",
            "Expect:",
            "-H",
            "Content-Type: application/octet-stream",
        ])
        .arg("--data-binary")
        .arg(format!("@{}", file.display()))
        .arg(format!("http://{}{path}", gateway.address))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.success())
}

#[test]
fn the_answer_of_a_service_that_closes_reaches_every_client() {
    let upstream = closing();
    let gateway = gateway(SERVICE)
        .upstream(upstream.address)
        .workers(2)
        .start();
    let address = gateway.address;
    let clients: Vec<_> = (0..20)
        .map(|_| std::thread::spawn(move || upload(address, "/open/a")))
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), (413, "too large".to_owned()));
    }
    if program("curl").is_some() {
        let answers: Vec<_> = (0..20).map(|_| curl(&gateway, "/open/a")).collect();
        assert_eq!(answers, vec![("too large 413".to_owned(), true); 20]);
    }
}

#[test]
fn a_client_is_released_by_a_service_that_reads_no_more() {
    let (upstream, hold) = holding();
    let gateway = gateway(SERVICE).upstream(upstream.address).start();
    assert_eq!(upload(gateway.address, "/open/a").0, 413);
    if program("curl").is_some() {
        let answer = curl(&gateway, "/open/a");
        assert_eq!(answer, ("too large 413".to_owned(), true));
    }
    drop(hold);
}

#[test]
fn a_refusal_of_the_gateway_reaches_clients_that_still_write() {
    let (upstream, hold) = holding();
    let gateway = gateway(SERVICE).upstream(upstream.address).start();
    assert_eq!(upload(gateway.address, "/closed").0, 401);
    if program("curl").is_some() {
        for _ in 0..5 {
            let (answer, whole) = curl(&gateway, "/closed");
            assert!(whole && answer.ends_with(" 401"), "{answer}");
        }
    }
    drop(hold);
}

#[test]
fn a_service_that_answers_early_and_reads_on_gets_all() {
    let (count, counted) = channel();
    let count = std::sync::Mutex::new(count);
    let upstream = RawUpstream::streams(move |mut stream, _| {
        read_head(&mut stream);
        stream.write_all(TOO_LARGE).unwrap();
        let mut body = vec![0; UPLOAD];
        let whole = stream.read_exact(&mut body).is_ok();
        count.lock().unwrap().send(whole).unwrap();
        // the connection is good for another request
        read_head(&mut stream);
        stream.write_all(TOO_LARGE).unwrap();
    });
    let gateway = gateway(SERVICE)
        .upstream(upstream.address)
        .workers(1)
        .start();
    assert_eq!(upload(gateway.address, "/open/a").0, 413);
    assert!(counted.recv().unwrap());
}

#[test]
fn the_last_answer_of_a_connection_says_so() {
    const LAST: &[u8] =
        b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let upstream = RawUpstream::streams(|mut stream, _| {
        read_head(&mut stream);
        stream.write_all(LAST).unwrap();
    });
    let early = gateway(SERVICE).upstream(upstream.address).start();
    let whole = RawUpstream::streams(|mut stream, _| {
        read_head(&mut stream);
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(LAST).unwrap();
    });
    let whole = gateway(SERVICE).upstream(whole.address).start();
    let keep = "Connection: keep-alive\r\n";
    let close = "Connection: close\r\n";
    for (gateway, request, fields, expected) in [
        // refused by the gateway
        (&early, "GET /closed HTTP/1.0", "", "close"),
        (&early, "GET /closed HTTP/1.0", keep, "keep-alive"),
        (&early, "GET /closed HTTP/1.1", "", ""),
        (&early, "GET /closed HTTP/1.1", close, "close"),
        (
            &early,
            "POST /closed HTTP/1.0",
            "Content-Length: 9999\r\n",
            "close",
        ),
        (
            &early,
            "POST /closed HTTP/1.0",
            "Connection: keep-alive\r\nContent-Length: 9999\r\n",
            "close",
        ),
        (
            &early,
            "POST /closed HTTP/1.1",
            "Content-Length: 9999\r\n",
            "close",
        ),
        // answered by a service that reads no more, and by one that has read all
        (
            &early,
            "POST /open/a HTTP/1.1",
            "Content-Length: 9999\r\n",
            "close",
        ),
        (
            &early,
            "POST /open/a HTTP/1.0",
            "Content-Length: 9999\r\n",
            "close",
        ),
        (&whole, "POST /open/a HTTP/1.1", "Content-Length: 2\r\n", ""),
        (
            &whole,
            "POST /open/a HTTP/1.0",
            "Connection: keep-alive\r\nContent-Length: 2\r\n",
            "keep-alive",
        ),
    ] {
        let mut client = Connection::open(gateway.address);
        let answer = client
            .write(format!("{request}\r\nHost: a\r\n{fields}\r\nxx"))
            .read();
        let said = answer.headers("connection").join(", ");
        assert_eq!(said, expected, "{request} {fields}: {answer:?}");
    }
}
