#!/usr/bin/env bash
# After an answer in HTTP/1.0, hyper's client sends the next request of the connection without its body.
#
# Packages   hyper 1.12.0 (crates.io) with hyper-util 0.1.21, http-body-util 0.1.5 and tokio 1.54.1; seen on 1 December 2026
# Behaviour  A server answers in HTTP/1.0 with `Connection: keep-alive` and a Content-Length, as small
#            embedded servers do. hyper keeps the connection. The next request on it, a POST whose body has no known length,
#            leaves as `POST /b HTTP/1.0` without Content-Length, without Transfer-Encoding and without the body; send_request()
#            returns the answer to it, and no error.
# One would  expect an error, a Content-Length, or a connection that is not used again: the body was accepted, and nobody was told that
#            it went nowhere.
# So         who pools connections of hyper's client looks at the version of each answer, and closes those that answered in HTTP/1.0.
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
hyper = { version = "=1.12.0", features = ["client", "http1"] }
hyper-util = { version = "=0.1.21", features = ["tokio"] }
tokio = { version = "=1.54.1", features = ["rt", "net", "io-util", "macros"] }
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{combinators::BoxBody, BodyExt, Empty};
use hyper::body::{Body, Frame};
use hyper::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A body whose length is not known, as a stream has none.
struct Piece(Option<Bytes>);

impl Body for Piece {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|piece| Ok(Frame::data(piece))))
    }
}

async fn serve(listener: tokio::net::TcpListener) -> String {
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut last = Vec::new();
    for _ in 0..2 {
        last.clear();
        while !last.windows(4).any(|four| four == b"\r\n\r\n") {
            if peer.read_buf(&mut last).await.unwrap() == 0 {
                return "closed".to_owned();
            }
        }
        let answer = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
        peer.write_all(answer.as_bytes()).await.unwrap();
    }
    // whatever else comes before the client ends
    while peer.read_buf(&mut last).await.unwrap() > 0 {}
    String::from_utf8(last).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener));
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    for (method, body) in [
        ("GET", BoxBody::new(Empty::new())),
        ("POST", BoxBody::new(Piece(Some(Bytes::from_static(b"hello"))))),
    ] {
        sender.ready().await.unwrap();
        let request = Request::builder().method(method).uri("/b").header("host", "a").body(body);
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        println!("{method}: {:?} {}", answer.version(), answer.status());
        answer.into_body().collect().await.unwrap();
    }
    drop(sender);
    let _ = connection.await.unwrap();
    println!("{:?}", server.await.unwrap());
}
RUST
seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml")
echo "$seen"
[[ $seen == *'POST: HTTP/1.0 200 OK'* && $seen == *'POST /b HTTP/1.0'* && $seen != *hello* && $seen != *chunked* ]]
