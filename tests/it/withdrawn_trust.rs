//! A reload that takes trust back: what open connections were believed under the former settings ends with them.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use crate::support::frames::{
    END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, SETTINGS, frame, get_block,
};
use crate::support::{
    Authority, Connection, FrameConnection, Gateway, RawUpstream, TlsClient, Upstream, gateway, ok,
    until,
};
use crate::upgrades::{ask, echoing};

const SERVICES: &str = "
  app: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: { networks: [192.0.2.0/24] } } ] }
";

const TRUSTED: &str = "proxy_protocol: true, trusted_proxies: [127.0.0.1]";

const PROXY: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n";

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(upstream: std::net::SocketAddr) -> Gateway {
    gateway(SERVICES).upstream(upstream).server(TRUSTED).start()
}

/// Believes nobody from now on.
fn withdraw(gateway: &Gateway) {
    let config = gateway
        .read("gateway.yaml")
        .replace("trusted_proxies: [127.0.0.1]", "trusted_proxies: []");
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
}

/// A connection of HTTP/1.1 from a client that the proxy names.
fn introduced(gateway: &Gateway) -> Connection {
    let mut client = Connection::open(gateway.address);
    client.write(PROXY);
    client
}

/// The same over HTTP/2.
fn introduced_h2(gateway: &Gateway) -> FrameConnection {
    let mut client = FrameConnection::silent(gateway.address);
    client
        .write(PROXY)
        .write(PREFACE)
        .write(frame(SETTINGS, 0, 0, &[]));
    client
}

#[test]
fn connections_that_rest_end_when_their_proxy_is_trusted_no_more() {
    let upstream = Upstream::saying("hi");
    let gateway = start(upstream.address);
    let mut silent = introduced(&gateway);
    let mut parked = introduced(&gateway);
    assert_eq!(parked.write(GET).read().status, 200);
    until("it is parked", || {
        gateway.metric("gatelatch_parked_connections") == 1.0
    });
    let mut resting = introduced(&gateway);
    assert_eq!(resting.write(GET).read().status, 200);
    let mut streams = introduced_h2(&gateway);
    let head = streams
        .get(1, "/a")
        .until(|frame| frame.kind == HEADERS && frame.stream == 1);
    assert!(head.is_ok());
    withdraw(&gateway);
    for client in [&mut silent, &mut parked, &mut resting] {
        assert_eq!(client.read_to_end(), "");
    }
    streams.until(|frame| frame.kind == GOAWAY);
    let denied = Connection::open(gateway.address).write(GET).read();
    assert_eq!(denied.status, 403, "the proxy is a client like any other");
}

/// Answers when it is told to.
fn held() -> (Upstream, Sender<()>) {
    let (release, released) = channel();
    let released = Mutex::new(released);
    let upstream = Upstream::new(move |_| {
        released.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        ok("late")
    });
    (upstream, release)
}

#[test]
fn a_request_under_way_is_the_last_of_its_connection() {
    let (upstream, release) = held();
    let gateway = start(upstream.address);
    let mut client = introduced(&gateway);
    client.write(GET);
    until("it is with the upstream", || upstream.received().len() == 1);
    withdraw(&gateway);
    release.send(()).unwrap();
    let answer = client.read();
    assert_eq!((answer.status, answer.body.as_str()), (200, "late"));
    assert_eq!(answer.header("connection"), "close");
    // one that was on its way is not answered as that of the client whom the proxy named
    client.write_while_taken(GET, 1);
    assert_eq!(client.read_to_end(), "");
    assert_eq!(upstream.received().len(), 1);
}

/// Also where the client does not care that the connection is about to end.
#[test]
fn streams_that_begin_afterwards_are_misdirected() {
    let (upstream, release) = held();
    let gateway = start(upstream.address);
    let mut client = introduced_h2(&gateway);
    client.get(1, "/a");
    until("it is with the upstream", || upstream.received().len() == 1);
    withdraw(&gateway);
    client.write(frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        3,
        &get_block("/later"),
    ));
    let line = gateway.line("/later");
    assert_eq!(
        (&line["status"], &line["service"]),
        (&421.into(), &().into())
    );
    release.send(()).unwrap();
    let first = client.until(|frame| frame.kind == HEADERS && frame.stream == 1);
    assert!(first.is_ok(), "what was under way is answered");
    assert_eq!(upstream.received().len(), 1);
}

#[test]
fn a_tunnel_ends_when_the_proxy_before_it_is_trusted_no_more() {
    let upstream: RawUpstream = echoing();
    let gateway = start(upstream.address);
    let mut client = introduced(&gateway);
    client.write(ask("/tunnel", ""));
    assert!(client.read_head().unwrap().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.read_exact(5), "hello");
    withdraw(&gateway);
    assert_eq!(client.read_to_end(), "");
    assert_eq!(
        gateway.line("/tunnel")["reason"],
        "closed: it is not allowed any more"
    );
}

#[test]
fn connections_go_on_where_trust_stays_as_it_is() {
    let upstream = Upstream::saying("hi");
    let gateway = start(upstream.address);
    let mut client = introduced(&gateway);
    assert_eq!(client.write(GET).read().status, 200);
    let users = gateway.read("users.yaml");
    gateway.replace("users.yaml", &format!("{users}  new: {{ roles: [x] }}\n"));
    gateway.event("configuration reloaded");
    assert_eq!(client.write(GET).read().status, 200);
}

#[test]
fn connections_end_with_the_client_ca_that_let_them_in() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let (old, new) = (Authority::new("old clients"), Authority::new("new clients"));
    let (certified, certificate) = (
        authority.issue(&["gateway.test"]),
        old.certificate().to_owned(),
    );
    let prepare = move |folder: &Path| {
        certified.write(folder, "tls");
        std::fs::write(folder.join("ca.crt"), certificate).unwrap();
    };
    let gateway = gateway(&SERVICES.replace("192.0.2.0/24", "127.0.0.0/8"))
        .upstream(upstream.address)
        .server("tls: { certificate: tls.crt, private_key: tls.key, client_ca: ca.crt }")
        .prepare(prepare)
        .start();
    let friend = old.issue(&["friend"]);
    let client = TlsClient::new(&[authority.certificate()], Some(&friend));
    let mut kept = client.connect(gateway.address).unwrap();
    kept.write_all(GET.as_bytes()).unwrap();
    let mut answer = [0; 15];
    kept.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    gateway.replace("ca.crt", new.certificate());
    gateway.event("configuration reloaded");
    // the rest of the answer, and then the end
    kept.read_to_end(&mut Vec::new()).unwrap();
    assert!(client.get(gateway.address, "/a").is_err());
}
