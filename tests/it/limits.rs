//! Clients that are slow, silent or too many.

use crate::support::{Connection, Upstream, gateway, gushing};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

const REJECTED: &str = "gatelatch_rejected_connections_total{reason=";

#[test]
fn a_head_that_does_not_come_is_told_so() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { header: 300ms }")
        .start();
    let late = Connection::open(gateway.address)
        .write("GET / HT")
        .read_to_end();
    assert!(
        late.starts_with("HTTP/1.1 408 ") && late.contains("connection: close"),
        "{late:?}"
    );
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    let late = client.write("GET / HTTP/1.1\r\nHo").read_to_end();
    assert!(
        late.starts_with("HTTP/1.1 408 "),
        "of a second request too: {late:?}"
    );
    let silent = Connection::open(gateway.address).read_to_end();
    assert_eq!(silent, "", "who has not begun is not answered");
    assert_eq!(
        gateway.metric(&format!("{REJECTED}\"timeout\"}}")),
        3.0,
        "{}",
        gateway.metrics()
    );
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { idle: 300ms }")
        .start();
    let mut client = Connection::open(gateway.address);
    assert_eq!(client.write(GET).read().status, 200);
    assert_eq!(client.read_to_end(), "");
    assert_eq!(gateway.metric(&format!("{REJECTED}\"timeout\"}}")), 0.0);
}

#[test]
fn a_body_that_does_not_come_is_told_so() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { body: 300ms }")
        .start();
    let mut client = Connection::open(gateway.address);
    client.write("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    let answer = client.read();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (408, "close"),
        "{answer:?}"
    );
    assert!(client.finish().try_read().is_none());
    let line = gateway.line("/slow");
    assert_eq!(line["reason"], "the request body came too slowly", "{line}");
    assert!(upstream.received().is_empty());
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let (upstream, end) = gushing();
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server("timeouts: { body: 300ms }")
        .start();
    let mut client = Connection::open(gateway.address);
    client.write(GET);
    end.recv_timeout(std::time::Duration::from_secs(10))
        .expect("the upstream's connection ends as well");
    let line = gateway.line("/a");
    assert_eq!(
        (&line["aborted"], &line["status"]),
        (&"client".into(), &200.into()),
        "{line}"
    );
    assert_eq!(gateway.metric(&format!("{REJECTED}\"timeout\"}}")), 1.0);
    drop(client);
}

#[test]
fn one_connection_too_many_is_refused_and_a_free_place_is_given_again() {
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
    let raw = Connection::open(gateway.address).read_to_end();
    assert!(
        raw.starts_with("HTTP/1.1 503 ") && raw.contains("retry-after: 1"),
        "{raw:?}"
    );
    assert_eq!(gateway.metric(&format!("{REJECTED}\"limit\"}}")), 1.0);
    assert_eq!(
        gateway.metric("gatelatch_client_connections"),
        2.0,
        "{}",
        gateway.metrics()
    );
    let [first, mut second] = clients;
    drop(first);
    // the place is free once the gateway has seen the end
    let answer = (0..1000).map(|_| {
        Connection::open(gateway.address)
            .write_while_taken(
                GET.replace("a\r\n\r\n", "a\r\nConnection: close\r\n\r\n"),
                1,
            )
            .read_to_end()
    });
    assert!(
        answer
            .into_iter()
            .any(|raw| raw.starts_with("HTTP/1.1 200 "))
    );
    assert_eq!(second.write(GET).read().status, 200);
}

#[test]
fn the_systems_low_limit_of_open_files_is_raised() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .open_files(64)
        .start();
    let mut clients: Vec<Connection> = (0..100)
        .map(|_| Connection::open(gateway.address))
        .collect();
    for client in &mut clients {
        assert_eq!(client.write(GET).read().status, 200);
    }
}
