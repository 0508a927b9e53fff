//! Where the gateway listens: addresses, files, and what systemd hands over.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Authority, Connection, Gateway, Upstream, curl, gateway, get, program, until,
};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn exchange(mut stream: UnixStream, request: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn over_unix(path: &Path) -> String {
    exchange(UnixStream::connect(path).unwrap(), GET)
}

/// The event that says where it listens; it has been waited for at the start.
fn listening(gateway: &Gateway) -> String {
    let printed = gateway.printed();
    printed
        .lines()
        .find(|line| line.contains("\"message\":\"listening\""))
        .unwrap()
        .to_owned()
}

#[test]
fn several_listeners_serve_alike() {
    let upstream = Upstream::saying("hi");
    let places = "\"127.0.0.1:0\", \"[::1]:0\", unix:first.sock, \"unix:${FOLDER}/second.sock\"";
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = gateway(OPEN)
        .upstream(upstream.address)
        .listen(places)
        .variable("FOLDER", folder.path().to_str().unwrap())
        .start();
    let said = listening(&gateway);
    let (first, second) = (
        gateway.path("first.sock"),
        folder.path().join("second.sock"),
    );
    for part in [
        "\"clients\":[\"http://127.0.0.1:",
        "\"http://[::1]:",
        &format!("unix:{}", first.display()),
        &format!("unix:{}", second.display()),
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(get(gateway.address, "/tcp", "").status, 200);
    for path in [&first, &second] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o660
        );
        assert!(over_unix(path).starts_with("HTTP/1.1 200 OK"));
        assert_eq!(gateway.line("/a")["client"], "127.0.0.1");
    }
    assert_eq!(
        upstream
            .received()
            .last()
            .unwrap()
            .fields("x-forwarded-for"),
        ["127.0.0.1"]
    );
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(
        !first.exists() && !second.exists(),
        "its files are gone with it"
    );
}

#[test]
fn every_worker_accepts_from_a_unix_socket_and_every_version_is_spoken() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .listen("unix:a.sock")
        .workers(4)
        .start();
    let path = gateway.path("a.sock");
    let path = path.to_str().unwrap();
    for (option, version) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let Some(answer) = curl(&[option, "--unix-socket", path, "http://localhost/a"]) else {
            return;
        };
        assert_eq!(
            (answer.status, answer.version.as_str()),
            (200, version),
            "{answer:?}"
        );
    }
    let many: Vec<UnixStream> = (0..50)
        .map(|_| UnixStream::connect(path).unwrap())
        .collect();
    for stream in many {
        assert!(exchange(stream, GET).starts_with("HTTP/1.1 200 OK"));
    }
}

#[test]
fn what_was_left_is_replaced_and_what_is_alive_is_not() {
    let upstream = Upstream::saying("hi");
    let stale = |folder: &Path| drop(UnixListener::bind(folder.join("a.sock")).unwrap());
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .listen("unix:a.sock")
        .prepare(stale)
        .start();
    let path = gateway.path("a.sock");
    assert!(over_unix(&path).starts_with("HTTP/1.1 200 OK"));
    let place = format!("unix:{}", path.display());
    let (code, printed) = crate::support::gateway(OPEN).listen(&place).fail();
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains(&format!("cannot listen on `{place}`")),
        "{printed}"
    );
    assert!(
        printed.contains("end that one, or choose another path"),
        "{printed}"
    );
    assert!(
        over_unix(&path).starts_with("HTTP/1.1 200 OK"),
        "the first one goes on"
    );
    for (place, advice) in [
        ("unix:users.yaml", "that is no socket"),
        ("unix:none/a.sock", "make its folder first"),
    ] {
        let (code, printed) = crate::support::gateway(OPEN).listen(place).fail();
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains(advice), "{printed}");
    }
}

#[test]
fn the_socket_of_a_successor_stays() {
    let mut gateway = gateway(OPEN).listen("unix:a.sock").start();
    let path = gateway.path("a.sock");
    fs::remove_file(&path).unwrap();
    let successor = UnixListener::bind(&path).unwrap();
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
    let _client = UnixStream::connect(&path).expect("the file is still there");
    successor.accept().unwrap();
}

#[test]
fn unix_sockets_are_in_the_clear_beside_tls() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let certified = authority.issue(&["gateway.test"]);
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .listen("unix:a.sock, \"127.0.0.1:0\"")
        .server("tls: { certificate: tls.crt, private_key: tls.key }")
        .prepare(move |folder| drop(certified.write(folder, "tls")))
        .start();
    assert!(over_unix(&gateway.path("a.sock")).starts_with("HTTP/1.1 200 OK"));
    let client = crate::support::TlsClient::new(&[authority.certificate()], None);
    assert!(
        client
            .get(gateway.address, "/")
            .unwrap()
            .answer
            .starts_with("HTTP/1.1 200 OK")
    );
}

#[test]
fn sockets_of_systemd_are_served_and_left_to_it() {
    let Some(python) = program("python3") else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/hand_over.py");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handed.sock");
    let launcher = [
        python.to_str().unwrap(),
        script.to_str().unwrap(),
        "tcp",
        path.to_str().unwrap(),
        "--",
    ];
    let mut gateway = gateway(OPEN)
        .upstream(upstream.address)
        .listen("systemd")
        .launcher(&launcher)
        .start();
    assert!(
        listening(&gateway).contains(&format!("unix:{}", path.display())),
        "{}",
        gateway.printed()
    );
    for _ in 0..10 {
        assert_eq!(get(gateway.address, "/tcp", "").status, 200);
        assert!(over_unix(&path).starts_with("HTTP/1.1 200 OK"));
    }
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(path.exists(), "the file is systemd's");
    assert!(
        TcpStream::connect(gateway.address).is_err(),
        "nobody else held the socket here"
    );
}

#[test]
fn without_a_socket_of_systemd_there_is_no_start() {
    let (code, printed) = gateway(OPEN).listen("systemd").fail();
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("cannot listen on `systemd`: no socket was handed over"),
        "{printed}"
    );
}

#[test]
fn a_crowd_over_the_limit_is_told_so() {
    let upstream = Upstream::saying("hi");
    let limits = "limits: { connections: 1 }";
    let gateway = gateway(OPEN)
        .upstream(upstream.address)
        .server(limits)
        .start();
    let mut first = Connection::open(gateway.address);
    assert_eq!(
        first
            .write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            .read()
            .status,
        200
    );
    for _ in 0..20 {
        // the request is on its way when the connection is refused: without care the answer would be lost in a reset
        let refused = Connection::open(gateway.address)
            .write_while_taken(GET, 1)
            .read_to_end();
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:?}");
    }
    assert_eq!(
        first
            .write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            .read()
            .status,
        200
    );
    let event = gateway.named_event("connection_rejected");
    assert_eq!(
        (&event["reason"], &event["client_ip"]),
        (&"limit".into(), &"127.0.0.1".into()),
        "{event}"
    );
}

#[test]
fn a_crowd_that_does_not_leave_takes_no_more_than_its_places() {
    let gateway = gateway(OPEN)
        .workers(1)
        .server("limits: { connections: 1 }")
        .start();
    // sockets alone: threads may still be opening what they wait with
    let sockets = || {
        let all = fs::read_dir(format!("/proc/{}/fd", gateway.id())).unwrap();
        let targets = all.filter_map(|each| fs::read_link(each.unwrap().path()).ok());
        targets
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    };
    let before = sockets();
    let crowd: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(gateway.address).unwrap())
        .collect();
    let refused = "gatelatch_rejected_connections_total{reason=\"limit\"}";
    until("all are refused but the first", || {
        gateway.metric(refused) == 299.0
    });
    let now = sockets();
    // the first one, those that may read why, and requests for the metrics whose connections are not closed yet
    assert!(now <= before + 1 + 64 + 8, "{before} before, {now} now");
    until("nobody is waited for without end", || {
        sockets() <= before + 2
    });
    drop(crowd);
}
