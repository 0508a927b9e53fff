//! Upstreams on Unix sockets.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{Receiver, channel};

use crate::support::gateway;

/// A service on a socket in a folder of its own, and the heads of its requests.
fn serve() -> (tempfile::TempDir, Receiver<(usize, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("app.sock")).unwrap();
    let (heads, received) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (stream, heads) = (stream.unwrap(), heads.clone());
            std::thread::spawn(move || {
                let mut out = stream.try_clone().unwrap();
                let mut lines = BufReader::new(stream);
                let mut head = String::new();
                while lines.read_line(&mut head).is_ok_and(|length| length > 0) {
                    if head.ends_with("\r\n\r\n") {
                        heads.send((number, std::mem::take(&mut head))).unwrap();
                        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                            .unwrap();
                    }
                }
            });
        }
    });
    (folder, received)
}

fn services(folder: &tempfile::TempDir, host: &str) -> String {
    let socket = folder.path().join("app.sock");
    let servers = format!("servers: [\"unix:{}\"], host: {host}", socket.display());
    format!("  all: {{ upstream: {{ {servers} }}, rules: [ {{ path: /**, allow: anyone }} ] }}")
}

#[test]
fn a_socket_is_a_server_like_any_other() {
    for (host, expected) in [
        ("preserve", "Host: gateway.test\r\n"),
        ("upstream", "Host: localhost\r\n"),
    ] {
        let (folder, heads) = serve();
        let gateway = gateway(&services(&folder, host)).workers(1).start();
        for path in ["/a", "/b"] {
            assert_eq!(gateway.get(path, "").body, "hi");
            let (connection, head) = heads.recv().unwrap();
            assert_eq!(connection, 0, "the connection is kept");
            assert!(
                head.starts_with(&format!("GET {path} HTTP/1.1\r\n")),
                "{head}"
            );
            assert!(
                head.to_lowercase().contains(&expected.to_lowercase()),
                "{head}"
            );
        }
        let name = format!("unix:{}", folder.path().join("app.sock").display());
        assert_eq!(gateway.line("/a")["upstream"], name);
    }
}

#[test]
fn a_socket_that_is_not_there_is_a_bad_gateway() {
    let (folder, _heads) = serve();
    std::fs::remove_file(folder.path().join("app.sock")).unwrap();
    let gateway = gateway(&services(&folder, "preserve")).start();
    assert_eq!(gateway.get("/a", "").status, 502);
}
