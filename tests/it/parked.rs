//! A connection that rests between two requests gives its buffers back, and goes on as if nothing had been.

use std::io::{Read, Write};

use crate::support::{
    Authority, Connection, Gateway, TlsClient, Upstream, gateway, get, ok, until,
};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

const PARKED: &str = "gatelatch_parked_connections";
const OPEN_CONNECTIONS: &str = "gatelatch_client_connections";

/// Waits until so many connections are parked.
fn parked(gateway: &Gateway, count: usize) {
    until(&format!("{count} are parked"), || {
        gateway.metric(PARKED) == count as f64
    });
}

#[test]
fn a_parked_connection_answers_again_and_again() {
    let upstream = Upstream::new(|request| ok(request.line().split(' ').nth(1).unwrap()));
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut clients: Vec<Connection> = (0..50).map(|_| Connection::open(gateway.address)).collect();
    for round in 0..3 {
        for (index, client) in clients.iter_mut().enumerate() {
            let path = format!("/{round}/{index}");
            let answer = client
                .write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .read();
            assert_eq!((answer.status, answer.body), (200, path));
        }
        parked(&gateway, clients.len());
        assert_eq!(gateway.metric(OPEN_CONNECTIONS), 50.0);
    }
}

#[test]
fn requests_that_come_together_while_it_is_parked_are_all_answered() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    parked(&gateway, 1);
    client
        .write(GET.repeat(3))
        .write("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        .write(GET);
    for _ in 0..5 {
        assert_eq!(client.read().status, 200);
    }
    parked(&gateway, 1);
    let old = client
        .write("GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        .read();
    assert_eq!((old.status, old.header("connection")), (200, "keep-alive"));
    parked(&gateway, 1);
    let last = client
        .write(GET.replace("a\r\n\r\n", "a\r\nConnection: close\r\n\r\n"))
        .read();
    assert_eq!((last.status, client.read_to_end().as_str()), (200, ""));
    assert_eq!(gateway.metric(PARKED), 0.0);
}

#[test]
fn a_head_that_begins_while_it_is_parked_has_its_time() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { header: 300ms }")
        .start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    parked(&gateway, 1);
    let late = client.write("GET / HTTP/1.1\r\nHo").read_to_end();
    assert!(late.starts_with("HTTP/1.1 408 "), "{late:?}");
    assert_eq!(
        gateway.metric("gatelatch_rejected_connections_total{reason=\"timeout\"}"),
        1.0
    );
}

/// The first part of a head came together with the request before.
#[test]
fn half_a_head_that_is_there_already_is_not_forgotten() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write(format!("{GET}GET /half HTTP/1.1\r\n"));
    assert_eq!(client.read().status, 200);
    // another one, which began to rest later, is parked: so this one's time has come as well
    let mut other = Connection::open(gateway.address);
    other.write(GET).read();
    until("the other is parked", || gateway.metric(PARKED) >= 1.0);
    assert_eq!(client.write("Host: a\r\n\r\n").read().status, 200);
    assert_eq!(gateway.line("/half")["status"], 200);
}

#[test]
fn half_a_head_is_not_waited_for_as_long_as_a_resting_connection() {
    let upstream = Upstream::saying("hi");
    let timeouts = "timeouts: { header: 300ms, idle: 1h }";
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server(timeouts)
        .start();
    let mut client = Connection::open(gateway.address);
    client.write(format!("{GET}GET /half HTTP/1.1\r\n"));
    assert_eq!(client.read().status, 200);
    let late = client.read_to_end();
    assert!(late.starts_with("HTTP/1.1 408 "), "{late:?}");
}

#[test]
fn a_parked_connection_is_closed_when_it_has_rested_for_long_enough() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { idle: 2s }")
        .start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    parked(&gateway, 1);
    assert_eq!(client.read_to_end(), "");
    until("it is gone", || gateway.metric(OPEN_CONNECTIONS) == 0.0);
    assert_eq!(gateway.metric(PARKED), 0.0);
    assert_eq!(
        gateway.metric("gatelatch_rejected_connections_total{reason=\"timeout\"}"),
        0.0
    );
}

#[test]
fn a_client_that_leaves_while_its_connection_is_parked_is_noticed() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut clients: Vec<Connection> = (0..20).map(|_| Connection::open(gateway.address)).collect();
    for client in &mut clients {
        assert_eq!(client.write(GET).read().status, 200);
    }
    parked(&gateway, 20);
    let mut half = clients.pop().unwrap();
    drop(clients);
    until("they are gone", || gateway.metric(OPEN_CONNECTIONS) == 1.0);
    assert_eq!(
        half.finish().read_to_end(),
        "",
        "who will ask no more is not kept either"
    );
    until("it is gone", || gateway.metric(OPEN_CONNECTIONS) == 0.0);
    assert_eq!(gateway.metric(PARKED), 0.0);
}

#[test]
fn parked_connections_count_as_open() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("limits: { connections: 2 }")
        .start();
    let mut clients = [
        Connection::open(gateway.address),
        Connection::open(gateway.address),
    ];
    for client in &mut clients {
        assert_eq!(client.write(GET).read().status, 200);
    }
    parked(&gateway, 2);
    let refused = Connection::open(gateway.address).read_to_end();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:?}");
    for client in &mut clients {
        assert_eq!(client.write(GET).read().status, 200);
    }
}

#[test]
fn a_drain_closes_parked_connections_at_once() {
    let upstream = Upstream::saying("hi");
    let mut gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { drain: 1h }")
        .start();
    let mut clients: Vec<Connection> = (0..20).map(|_| Connection::open(gateway.address)).collect();
    for client in &mut clients {
        assert_eq!(client.write(GET).read().status, 200);
    }
    parked(&gateway, 20);
    gateway.signal("TERM");
    for client in &mut clients {
        assert_eq!(client.read_to_end(), "");
    }
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn after_a_reload_a_parked_connection_is_answered_by_the_new_configuration() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    parked(&gateway, 1);
    gateway.replace(
        "gateway.yaml",
        &gateway
            .read("gateway.yaml")
            .replace("allow: anyone", "allow: nobody"),
    );
    until("it is in force", || {
        get(gateway.address, "/a", "").status == 403
    });
    assert_eq!(client.write(GET).read().status, 403);
}

#[test]
fn tls_is_parked_as_well() {
    let authority = Authority::new("test");
    let certified = authority.issue(&["gateway.test"]);
    let tls = "tls: { certificate: tls.crt, private_key: tls.key }, timeouts: { idle: 3s }";
    let upstream = Upstream::saying("hi");
    let builder = gateway(OPEN).upstream(upstream.address).server(tls);
    let gateway = builder
        .prepare(move |folder| drop(certified.write(folder, "tls")))
        .start();
    let client = TlsClient::new(&[authority.certificate()], None);
    let mut stream = client.connect(gateway.address).unwrap();
    for _ in 0..3 {
        stream.write_all(GET.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hi") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{answer:?}");
            answer.extend_from_slice(&piece[..count]);
        }
        parked(&gateway, 1);
    }
    let mut rest = Vec::new();
    stream
        .read_to_end(&mut rest)
        .expect("the end is said: without it, this is an error");
    assert!(rest.is_empty());
}
