//! What rests or waits keeps no buffers: the bytes of a connection, by the resident memory of the process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::{Connection, gateway, until};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

/// Connections that are there before it is measured: what the first ones make is there for all.
const FIRST: usize = 100;

const MORE: usize = 500;

/// A service that begins each answer in the same way, and ends none.
fn beginning(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            kept.push(stream);
        }
    });
    address
}

/// Holds for connections that send `fields` and get the begin of an answer: each takes no more than so many bytes, with
/// the connection to the service.
fn takes_no_more_than(bytes: usize, fields: &str, answer: &'static str) {
    let gateway = gateway(OPEN).upstream(beginning(answer)).workers(1).start();
    let open = |count: usize| -> Vec<Connection> {
        let ask = |_| {
            let mut client = Connection::open(gateway.address);
            client.write(format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
            if !answer.is_empty() {
                client.read_head().unwrap();
            }
            client
        };
        (0..count).map(ask).collect()
    };
    let first = open(FIRST);
    let before = gateway.memory() as usize;
    let more = open(MORE);
    // buffers are given back after half a second, and to the system some seconds later
    until(&format!("each to take no more than {bytes} bytes"), || {
        gateway.memory() as usize <= before + MORE * bytes
    });
    drop((first, more));
}

#[test]
fn a_tunnel_that_rests_keeps_no_buffers() {
    takes_no_more_than(
        8_000,
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
}

#[test]
fn a_request_that_waits_for_its_service_keeps_no_buffers() {
    takes_no_more_than(14_000, "", "");
}

#[test]
fn an_event_stream_that_rests_keeps_no_buffers() {
    takes_no_more_than(
        10_000,
        "",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:\n\r\n",
    );
}
