//! Kept connections that a service closes at a certain age of their rest.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Connection, RawUpstream, gateway, until};

/// A service that closes a connection when it has rested for so long, and counts what it has answered.
fn closing_after(rest: Duration) -> (RawUpstream, Arc<AtomicUsize>) {
    let answered: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&answered);
    let upstream = RawUpstream::streams(move |mut stream, _| {
        stream.set_read_timeout(Some(rest)).unwrap();
        while read_head(&mut stream) {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    });
    (upstream, answered)
}

fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

const POST: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

#[test]
fn no_request_meets_the_close_of_a_connection_that_has_rested() {
    let rest = Duration::from_millis(700);
    let (upstream, _) = closing_after(rest);
    let services = "  all: { upstream: { servers: [http://UPSTREAM], retries: 0 }, rules: [ { path: /**, allow: anyone } ] }";
    let gateway = gateway(services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let address = gateway.address;
    let clients: Vec<_> = (0..30_u32)
        .map(|number| {
            std::thread::spawn(move || {
                let mut client = Connection::open(address);
                let mut lost = 0;
                for _ in 0..4 {
                    lost += usize::from(client.write(POST).read().status != 200);
                    // the very moment at which the service closes, and around it
                    let moment = rest + Duration::from_micros(u64::from(number) * 200);
                    let answered = Instant::now();
                    std::thread::sleep(
                        (moment - Duration::from_millis(3)).saturating_sub(answered.elapsed()),
                    );
                }
                lost
            })
        })
        .collect();
    let lost: usize = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .sum();
    assert_eq!(lost, 0, "of {}", 30 * 4);
}

#[test]
fn a_service_that_holds_connections_for_long_is_found_out() {
    let (upstream, answered) = closing_after(Duration::from_secs(60));
    let services = "  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }";
    let gateway = gateway(services)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let mut client = Connection::open(gateway.address);
    // each rest proves the next one of its length, so that connections are used again before long
    until("a connection that is used again after a rest", || {
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(client.write(POST).read().status, 200);
        upstream.accepted() + 3 <= answered.load(Ordering::SeqCst)
    });
}
