//! Answers of the gateway's own, on the wire: what HEAD gets, and what becomes of a connection whose request is not read.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::proxy_protocol::Proxy;
use crate::support::frames::{END_HEADERS, END_STREAM, HEADERS, field, frame};
use crate::support::{
    Connection, FrameConnection, Gateway, RawUpstream, Upstream, curl, gateway, program, until,
};

const SERVICES: &str = "
  app:
    hosts: [a]
    upstream: http://UPSTREAM
    openapi: { path: /openapi.json }
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, allow: { roles: [recruiter] } }
  away:
    hosts: [a]
    path: /away
    upstream: http://127.0.0.1:9
    rules: [ { path: /away/**, allow: anyone } ]
";

fn start(upstream: &Upstream) -> Gateway {
    gateway(SERVICES).upstream(upstream.address).start()
}

/// Own answers to HEAD: path and status.
const HEADS: &[(&str, u16)] = &[
    ("/jobs", 401),
    ("/other", 403),
    ("/jobs//x", 400),
    ("/away/x", 502),
    ("/auth/me", 401),
    ("/auth/else", 404),
    ("/auth/refresh", 405),
    ("/auth/verify", 403),
    ("/auth/login", 200),
    ("/auth/docs", 200),
    ("/auth/openapi.json", 200),
    ("/.well-known/jwks.json", 200),
];

/// The head alone, with END_STREAM on it (RFC 9113, section 8.1), and the length that GET has (RFC 9110, section 9.3.2).
#[test]
fn head_gets_no_body_in_any_version() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for (path, status) in HEADS {
        let mut client = FrameConnection::open(gateway.address);
        let block = [
            &[0x86][..],
            &field(":method", "HEAD"),
            &field(":path", path),
            &field(":authority", "a"),
        ]
        .concat();
        client.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
        let answer = client.until(|frame| frame.kind == HEADERS);
        assert!(answer.ends_stream(), "{path}: {answer:?}");
        let url = format!("http://{}{path}", gateway.address);
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let ask = |more: &[&str]| {
                curl(&[&[version, "--path-as-is", "-H", "Host: a", &url], more].concat())
            };
            let (Some(head), Some(get)) = (ask(&["-I"]), ask(&[])) else {
                return;
            };
            assert_eq!(
                (head.code, head.status),
                (Some(0), *status),
                "{version} {path}: {head:?}"
            );
            let length = |text: &str| {
                let lower = text.to_lowercase();
                let line = lower
                    .lines()
                    .find(|line| line.starts_with("content-length:"));
                line.map(str::to_owned)
            };
            if *path != "/auth/refresh" {
                assert_eq!(length(&head.text), length(&get.text), "{version} {path}");
            }
        }
    }
    let (Some(forwarded), Some(refused)) = (
        curl(&[
            "--http2-prior-knowledge",
            "-I",
            "-H",
            "Host: b",
            &format!("http://{}/", gateway.address),
        ]),
        curl(&[
            "--http2-prior-knowledge",
            "-I",
            "-H",
            "Host: a",
            &format!("http://{}/public/x", gateway.address),
        ]),
    ) else {
        return;
    };
    assert_eq!((forwarded.code, forwarded.status), (Some(0), 404));
    assert_eq!((refused.code, refused.status), (Some(0), 200));
}

/// What is sent, whether all of it comes at once, and the status.
fn uploads(gateway: &Gateway) -> Vec<(String, String, u16)> {
    let carl = gateway.bearer("carl");
    let large = "x".repeat(2_000_000);
    let head = |path: &str, fields: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n")
    };
    let chunked = "POST /jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    vec![
        (head("/jobs", "", 5), "small".to_owned(), 401),
        (head("/jobs", "", 2_000_000), large.clone(), 401),
        (head("/jobs", &carl, 2_000_000), large.clone(), 403),
        (head("/other", "", 2_000_000), large.clone(), 403),
        (head("/a//b", "", 2_000_000), large.clone(), 400),
        (head("/auth/else", "", 2_000_000), large.clone(), 404),
        (head("/auth/me", "", 2_000_000), large.clone(), 405),
        (head("/auth/login", "", 2_000_000), large.clone(), 415),
        (
            head(
                "/auth/login",
                "Content-Type: application/json\r\n",
                2_000_000,
            ),
            large.clone(),
            413,
        ),
        (
            head("/auth/login", "Content-Type: application/json\r\n", 2),
            "{}".to_owned(),
            422,
        ),
        (chunked.clone(), "5\r\nsmall\r\n0\r\n\r\n".to_owned(), 401),
        (chunked, format!("1e8480\r\n{large}\r\n0\r\n\r\n"), 401),
        (
            head("/jobs", "Expect: 100-continue\r\n", 5),
            String::new(),
            401,
        ),
        (
            head("/jobs", "Expect: 100-continue\r\n", 2_000_000),
            String::new(),
            401,
        ),
        (
            head(
                "/jobs",
                &format!("Expect: 100-continue\r\n{carl}"),
                2_000_000,
            ),
            String::new(),
            403,
        ),
        (
            head("/auth/login", "Expect: 100-continue\r\n", 9),
            String::new(),
            415,
        ),
    ]
}

/// A connection is closed behind exactly the answers that say so (RFC 9112, section 9.6).
#[test]
fn an_answer_says_whether_its_connection_ends() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for (head, body, status) in uploads(&gateway) {
        let shown = head.replace("\r\n", " ");
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            // who is refused may be cut off
            let _ = writer.write_all(body.as_bytes());
        });
        let mut client = Connection::over(stream);
        let answer = client.read();
        assert_eq!(answer.status, status, "{shown}: {answer:?}");
        let closes = answer.header("connection") == "close";
        if shown.contains("Expect") || shown.contains("2000000") {
            assert!(closes, "{shown}: {answer:?}");
        }
        writing.join().unwrap();
        if closes {
            assert_eq!(client.read_to_end(), "", "{shown}");
        } else {
            let next = "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n";
            assert_eq!(client.write(next).read().status, 200, "{shown}");
        }
    }
}

/// A service that answers without the body: it was asked for none.
#[test]
fn a_service_that_refuses_before_the_body_ends_the_connection_too() {
    let upstream = RawUpstream::new(|mut wire, _| {
        while wire.head().is_some() {
            wire.say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
        }
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut client = Connection::open(gateway.address);
    client.write(
        "POST /public/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n",
    );
    let answer = client.read();
    assert_eq!((answer.status, answer.body.as_str()), (401, "no"));
    assert_eq!(answer.header("connection"), "close", "{answer:?}");
    assert_eq!(client.read_to_end(), "");
}

/// Apache with mod_proxy in front of the gateway. It takes no port that the system chooses, and none from a parent.
fn apache(gateway: &Gateway) -> Option<(Proxy, u16)> {
    let apache = program("apache2")?;
    let folder = gateway.folder().display().to_string();
    let modules = "/usr/lib/apache2/modules";
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = format!(
            "ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Mutex file:{folder} default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
User nobody
Group nogroup
Listen 127.0.0.1:{port}
ProxyPreserveHost On
ProxyPass / http://{}/
",
            gateway.address
        );
        std::fs::write(gateway.path("httpd.conf"), config).unwrap();
        let mut process = Command::new(&apache)
            .args(["-DFOREGROUND", "-f", &format!("{folder}/httpd.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut listens, mut has_ended) = (false, false);
        until("Apache listens", || {
            listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
            has_ended = process.try_wait().unwrap().is_some();
            listens || has_ended
        });
        if listens && !has_ended {
            return Some((Proxy(process), port));
        }
        // somebody else has taken the port
    }
}

/// It waits for `100 Continue` and takes a connection that ends behind the answer for a broken one, unless it is told.
#[test]
fn a_refused_upload_is_a_refusal_behind_apache_too() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let Some((_apache, port)) = apache(&gateway) else {
        return;
    };
    std::fs::write(gateway.path("body"), "x".repeat(2_000_000)).unwrap();
    let body = format!("@{}", gateway.path("body").display());
    let url = format!("http://127.0.0.1:{port}/jobs");
    let carl = gateway.bearer("carl");
    for (more, expected) in [
        (&["-H", "X: 1"][..], 401),
        (&["-H", "Expect: 100-continue"], 401),
        (&["-H", carl.trim(), "-H", "Expect: 100-continue"], 403),
        (&["-H", carl.trim()], 403),
    ] {
        let common = ["-X", "POST", "-H", "Host: a", "--data-binary", &body, &url];
        let Some(answer) = curl(&[&common[..], more].concat()) else {
            return;
        };
        assert!(
            answer.text.contains(&format!("HTTP/1.1 {expected} ")),
            "{more:?}: {answer:?}"
        );
    }
}
