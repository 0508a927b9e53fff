#!/usr/bin/env bash
# hyper's server does not poll a body again behind its trailers, over HTTP/1.1 and over HTTP/2.
#
# Packages   hyper 1.12.0 (crates.io) with hyper-util 0.1.21, http-body-util 0.1.5 and tokio 1.54.1; seen on 1 December 2026
# Behaviour  A body gives data, then trailers. hyper writes both, ends the message and drops the body: poll_frame() is never called
#            again, so that it never returns `None`, though the same body without trailers is polled until it does.
# One would  expect each body to be polled until `None`, which http-body has for the end: a wrapper that releases something there, or
#            tells a whole answer from one that its client broke off, sees neither.
# So         what wraps a body takes a frame of trailers for its end.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
bytes = "1"
http-body-util = "=0.1.5"
hyper = { version = "=1.12.0", features = ["client", "server", "http1", "http2"] }
hyper-util = { version = "=0.1.21", features = ["tokio"] }
tokio = { version = "=1.54.1", features = ["rt", "net", "macros", "sync"] }
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<&'static str>>>, Arc<Notify>);

/// Writes down how it is polled.
struct Watched(VecDeque<Frame<Bytes>>, Seen);

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.0.pop_front();
        self.1.0.lock().unwrap().push(match &frame {
            Some(frame) if frame.is_data() => "data",
            Some(_) => "trailers",
            None => "None",
        });
        Poll::Ready(frame.map(Ok))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.1.0.lock().unwrap().push("dropped");
        self.1.1.notify_one();
    }
}

async fn exchange(http2: bool, trailers: bool) {
    let seen = Seen::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = seen.clone();
    let answer = service_fn(move |_: Request<Incoming>| {
        let mut frames = VecDeque::from([Frame::data(Bytes::from_static(b"hello"))]);
        if trailers {
            let mut fields = HeaderMap::new();
            fields.insert("x-sum", "1".parse().unwrap());
            frames.push_back(Frame::trailers(fields));
        }
        let answer = Response::builder().header("trailer", "x-sum");
        let answer = answer.body(Watched(frames, told.clone())).unwrap();
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    tokio::spawn(async move {
        let io = TokioIo::new(listener.accept().await.unwrap().0);
        if http2 {
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await;
        } else {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await;
        }
    });
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let request = Request::builder().uri("http://a/").header("host", "a").header("te", "trailers");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = if http2 {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let whole = answer.into_body().collect().await.unwrap();
    let got = whole.trailers().map_or(0, HeaderMap::len);
    seen.1.notified().await;
    println!("HTTP/2 {http2}, trailers sent {trailers}, got {got}: {}", seen.0.lock().unwrap().join(", "));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for http2 in [false, true] {
        for trailers in [false, true] {
            exchange(http2, trailers).await;
        }
    }
}
RUST
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
echo "$seen"
for http2 in false true; do
    [[ $seen == *"HTTP/2 $http2, trailers sent false, got 0: data, None, dropped"* ]]
    [[ $seen == *"HTTP/2 $http2, trailers sent true, got 1: data, trailers, dropped"* ]]
done
