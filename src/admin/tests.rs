use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::serve::{Limits, serve_within};
use super::*;
use crate::ambient;
use crate::config::AdminHosts;
use crate::session::{StateSettings, Times};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

/// A configuration without services and users.
struct Nothing(Directory);

impl InForce for Nothing {
    fn services(&self) -> Vec<ServiceView<'_>> {
        Vec::new()
    }

    fn directory(&self) -> &Directory {
        &self.0
    }

    fn session_times(&self, now: u64) -> Times {
        Times {
            now,
            ttl: 60,
            last_token: now + 60,
        }
    }
}

/// An admin listener on a free port; dropping it ends its thread.
struct Admin {
    address: SocketAddr,
    readiness: Arc<Mutex<Readiness>>,
    thread: Option<JoinHandle<()>>,
    shutdown: Option<DropGuard>,
}

impl Admin {
    fn start() -> Self {
        Self::start_within(Limits {
            connections: 64,
            header: LONG,
            lifetime: LONG,
            finish: LONG,
        })
    }

    fn start_within(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Arc::new(Mutex::new(Readiness::READY));
        let told = Arc::clone(&readiness);
        let level = |server: &str, state, share| ServerLevel {
            service: "app".into(),
            server: server.into(),
            state,
            share,
            tls_failures: Box::default(),
        };
        let metrics = Metrics::new();
        let sessions = Sessions::start(
            &StateSettings::Memory,
            Arc::clone(&metrics),
            ambient::hash_state(),
        )
        .unwrap();
        let load = ConfigurationLoad {
            digest: [0; 32],
            at: 0,
            users: 0,
            warnings: Vec::new(),
            token: None,
            hosts: AdminHosts::default(),
        };
        let state = AdminState {
            history: Arc::new(History::new(Arc::clone(&metrics), ambient::now())),
            metrics,
            readiness: Arc::new(move || *told.lock().unwrap()),
            servers: Arc::new(move || vec![level("b:1", "down", 0.0), level("a:1", "up", 1.0)]),
            recent: Arc::default(),
            sessions,
            audit: None,
            loads: Arc::new(Loads::new(load)),
            in_force: Arc::new(|| Arc::new(Nothing(Directory::new([])))),
        };
        let shutdown = CancellationToken::new();
        let served = serve_within(limits, listener, state, shutdown.clone());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let thread = thread::spawn(move || runtime.block_on(served).unwrap());
        Self {
            address,
            readiness,
            thread: Some(thread),
            shutdown: Some(shutdown.drop_guard()),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends one request and returns the whole answer without its `Date`.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("date:"))
            .collect()
    }

    fn stop(&mut self) {
        self.shutdown.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_living_process_is_healthy_whatever_its_readiness() {
    let admin = Admin::start();
    admin.readiness.lock().unwrap().running = ReadinessCheck::Failed("draining");
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
                    connection: close\r\ncontent-length: 3\r\n\r\nok\n";
    assert_eq!(admin.ask("GET /healthz"), expected);
}

#[test]
fn readiness_says_what_is_the_matter() {
    let admin = Admin::start();
    let answer = admin.ask("GET /readyz");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"),
        "{answer}"
    );
    let body = r#"{"ready":true,"checks":{"configuration":"ok","listening":"ok","state":"ok","audit":"ok","running":"ok"},"upstreams":{"app":{"a:1":"up","b:1":"down"}}}"#;
    assert!(answer.ends_with(&format!("\r\n\r\n{body}\n")), "{answer}");

    admin.readiness.lock().unwrap().running = ReadinessCheck::Failed("draining");
    let answer = admin.ask("GET /readyz");
    assert!(
        answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{answer}"
    );
    let body = r#"{"ready":false,"checks":{"configuration":"ok","listening":"ok","state":"ok","audit":"ok","running":"draining"},"upstreams":{"app":{"a:1":"up","b:1":"down"}}}"#;
    assert!(answer.ends_with(&format!("\r\n\r\n{body}\n")), "{answer}");
}

#[test]
fn metrics_are_openmetrics() {
    let admin = Admin::start();
    let answer = admin.ask("GET /metrics?x=1");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(answer.starts_with(head), "{answer}");
    assert!(answer.ends_with("\n# EOF\n"), "{answer}");
}

#[test]
fn a_head_request_has_no_body() {
    let answer = Admin::start().ask("HEAD /healthz");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("content-length: 3\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn anything_else_is_refused() {
    let admin = Admin::start();
    for request in [
        "GET /metrics/",
        "POST /nothing",
        "GET //readyz",
        "GET /dashboard/",
        "GET /api/nothing",
    ] {
        let answer = admin.ask(request);
        assert!(
            answer.starts_with(
                "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n"
            ),
            "{answer}"
        );
        assert!(
            answer.contains(r#""title":"Not Found","status":404,"#),
            "{answer}"
        );
    }
    let answer = admin.ask("POST /metrics");
    assert!(
        answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
}

#[test]
fn the_page_and_its_files_are_locked_in() {
    let admin = Admin::start();
    for path in ["/", "/dashboard/main.js", "/dashboard/style.css"] {
        let answer = admin.ask(&format!("GET {path}"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("\r\ncontent-security-policy: default-src 'none'; script-src 'self'; "),
            "{answer}"
        );
        assert!(
            !answer.contains("unsafe") && !answer.contains("https://"),
            "{answer}"
        );
    }
    assert!(admin.ask("POST /").starts_with("HTTP/1.1 405 "));
    let index = admin.ask("GET /api");
    for path in [
        "/api/overview",
        "/api/history",
        "/api/rules",
        "/api/routes",
        "/api/denials",
        "/api/logins",
    ] {
        assert!(
            index.contains(path)
                && admin
                    .ask(&format!("GET {path}"))
                    .starts_with("HTTP/1.1 200 OK\r\n"),
            "{path}"
        );
    }
    assert!(
        admin
            .ask("GET /api/history?after=x")
            .contains("`after` is a whole number")
    );
}

#[test]
fn it_ends_with_idle_connections_open() {
    let mut admin = Admin::start();
    let mut stream = admin.connect();
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: admin\r\n\r\n").unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    admin.stop();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"ok\n"));
}

#[test]
fn connections_that_say_nothing_do_not_lock_others_out() {
    let admin = Admin::start_within(Limits {
        connections: 2,
        header: SHORT,
        lifetime: LONG,
        finish: LONG,
    });
    let _silent: Vec<_> = (0..5).map(|_| admin.connect()).collect();
    assert!(admin.ask("GET /healthz").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn connections_that_do_not_read_do_not_lock_others_out() {
    let admin = Admin::start_within(Limits {
        connections: 1,
        header: LONG,
        lifetime: SHORT,
        finish: SHORT,
    });
    let mut stuck = admin.connect();
    // the more of them come at once, the sooner nothing more fits into the kernel's buffers
    stuck
        .write_all(
            "GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n"
                .repeat(20_000)
                .as_bytes(),
        )
        .unwrap_or(());
    assert!(admin.ask("GET /healthz").starts_with("HTTP/1.1 200 OK"));
}
