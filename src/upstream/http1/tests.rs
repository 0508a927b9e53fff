//! Switches of protocols, against servers of raw bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::LocalOptions;

use super::super::dial_context::{ConnectionCounts, DialContext};
use super::super::exchange::UpstreamReply;
use super::super::origin::Origin;
use super::super::server::{Reuse, ServerConnections};
use super::super::settings::Settings;
use super::*;
use crate::ambient::Ticker;
use crate::net::Dialer;
use crate::telemetry::metrics::{Metrics, UpstreamConnection};

/// A server that gives each connection this answer to its first request, then echoes; and the heads of the requests.
fn serve(answer: &'static str) -> (Origin, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (heads, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, heads) = (stream.unwrap(), heads.clone());
            std::thread::spawn(move || {
                let mut out = stream.try_clone().unwrap();
                let mut lines = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert!(lines.read_line(&mut head).unwrap() > 0);
                }
                heads.send(head).unwrap();
                out.write_all(answer.as_bytes()).unwrap();
                let mut piece = [0; 100];
                while let Ok(length @ 1..) = lines.read(&mut piece) {
                    out.write_all(&piece[..length]).unwrap();
                }
            });
        }
    });
    (origin, received)
}

fn request(upgrade: Option<&'static str>) -> Outbound {
    let mut request = Request::new(RequestBody::empty());
    *request.method_mut() = Method::GET;
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("app.test"));
    Outbound::again(request, upgrade.map(HeaderValue::from_static))
}

struct Bench {
    server: Rc<ServerConnections>,
    metrics: std::sync::Arc<Metrics>,
}

impl Bench {
    fn new(origin: Origin) -> Self {
        let metrics = Metrics::new();
        let shard = metrics.shard();
        let counts = ConnectionCounts {
            idle: shard.upstream_connections(UpstreamConnection::Idle),
            active: shard.upstream_connections(UpstreamConnection::Active),
        };
        let dial_context = Rc::new(DialContext {
            dialer: Dialer::default(),
            ticker: Ticker::new(),
            counts,
            frugal: false,
        });
        Self {
            server: ServerConnections::new(origin.clone(), &Settings::of(origin), &dial_context),
            metrics,
        }
    }

    async fn ask(&self, upgrade: Option<&'static str>) -> Result<UpstreamReply, String> {
        let sent = self
            .server
            .send(request(upgrade), Reuse::Allowed, None)
            .await;
        sent.map_err(|failed| failed.error.to_string())
    }

    fn connections(&self, state: &str) -> bool {
        self.metrics.encode().contains(&format!(
            "gatelatch_upstream_connections{{state=\"{state}\"}} 1\n"
        ))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap()
        .block_on(future)
}

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nX-Mine: yes\r\n\r\n";

#[test]
fn a_switch_that_was_asked_for_hands_over_the_connection() {
    let (origin, heads) = serve(SWITCH);
    run(async {
        let bench = Bench::new(origin);
        let Ok(UpstreamReply::Switched(switched)) = bench.ask(Some("websocket")).await else {
            panic!("it switches")
        };
        let head = heads.recv().unwrap();
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        assert!(
            head.contains("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"),
            "{head}"
        );
        assert_eq!(
            (
                switched.head.status.as_u16(),
                &switched.head.headers["x-mine"]
            ),
            (101, &"yes".parse().unwrap())
        );
        let mut io = switched.io;
        io.write_all(b"echo").await.unwrap();
        let mut echoed = [0; 4];
        io.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"echo");
        assert!(
            bench.connections("active"),
            "it counts for as long as it is held"
        );
        drop(switched.held);
        assert!(!bench.connections("active") && !bench.connections("idle"));
    });
}

#[test]
fn a_switch_to_something_else_is_a_breach() {
    let (origin, _heads) = serve(SWITCH);
    run(async {
        let bench = Bench::new(origin);
        for (asked, why) in [
            (None, "it switches protocols unasked"),
            (
                Some("other"),
                "it switches to another protocol than the one asked for",
            ),
        ] {
            let Err(error) = bench.ask(asked).await else {
                panic!("{why}")
            };
            assert_eq!(
                error,
                format!("the upstream's answer is not HTTP/1.1: {why}")
            );
        }
        assert!(!bench.connections("active") && !bench.connections("idle"));
    });
}

#[test]
fn a_connection_that_did_not_switch_is_not_used_again() {
    let (origin, heads) = serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    run(async {
        let bench = Bench::new(origin);
        let Ok(UpstreamReply::Answer(refused)) = bench.ask(Some("websocket")).await else {
            panic!("an ordinary answer")
        };
        assert_eq!(refused.status(), 200);
        drop(refused);
        assert!(!bench.connections("idle"));
        let Ok(UpstreamReply::Answer(ordinary)) = bench.ask(None).await else {
            panic!("an ordinary answer")
        };
        drop(ordinary);
        assert!(bench.connections("idle"));
        assert_eq!(heads.iter().take(2).count(), 2, "one connection each");
    });
}

#[test]
fn a_server_of_http2_cannot_switch() {
    run(async {
        let bench = Bench::new(Origin::parse("h2c://127.0.0.1:9").unwrap());
        let Err(error) = bench.ask(Some("websocket")).await else {
            panic!("it cannot")
        };
        assert!(error.contains("name the server as `http://`"), "{error}");
    });
}
