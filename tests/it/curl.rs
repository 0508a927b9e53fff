//! What people do with curl: ranges, heads, uploads that ask first, gigabytes, event streams.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use sha2::{Digest, Sha256};

use crate::support::{Upstream, curl, gateway, ok, program};

const OPEN: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /**, allow: anyone }
";

/// Every protocol that a client may speak, as curl calls it.
const PROTOCOLS: [(&str, &str); 2] = [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")];

#[test]
fn ranges_and_heads_pass() {
    let upstream = Upstream::new(|request| {
        let partial = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234";
        match request.fields("range").as_slice() {
            ["bytes=2-4"] => partial.into(),
            _ if request.line().starts_with("HEAD ") => {
                "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".into()
            }
            _ => ok("0123456789"),
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let url = format!("http://{}/file", gateway.address);
    for (protocol, version) in PROTOCOLS {
        let Some(part) = curl(&[protocol, "--range", "2-4", &url]) else {
            return;
        };
        assert_eq!((part.status, part.version.as_str()), (206, version));
        assert!(
            part.text.contains("bytes 2-4/10") && part.text.contains("\r\n\r\n234"),
            "{}",
            part.text
        );
        let head = curl(&[protocol, "--head", &url]).unwrap();
        assert_eq!((head.status, head.code), (200, Some(0)), "{}", head.text);
        assert!(
            head.text.to_lowercase().contains("content-length: 10"),
            "{}",
            head.text
        );
    }
}

#[test]
fn uploads_pass_in_chunks_and_after_a_question() {
    let upstream = Upstream::new(|request| ok(&format!("{} bytes", request.body.len())));
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let url = format!("http://{}/file", gateway.address);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "x".repeat(300_000)).unwrap();
    let data = format!("@{}", file.path().display());
    for (protocol, version) in PROTOCOLS {
        for fields in ["Transfer-Encoding: chunked", "Expect: 100-continue"] {
            let Some(sent) = curl(&[protocol, "--data-binary", &data, "--header", fields, &url])
            else {
                return;
            };
            assert_eq!(
                (sent.status, sent.version.as_str()),
                (200, version),
                "{}",
                sent.text
            );
            assert!(
                sent.text.ends_with("300000 bytes"),
                "{fields}: {}",
                sent.text
            );
        }
    }
}

/// A pattern that repeats in no power of two, so that a lost or doubled piece shows.
fn pattern() -> Vec<u8> {
    (0..1_000_003_u32)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

const GIGABYTE: usize = 1 << 30;

/// Hashes a gigabyte as it comes, and answers with the digest.
fn upload_sink() -> Upstream {
    Upstream::with_stream(|request, stream| {
        if !request.line().starts_with("GET /down ") {
            return stream.write_all(&ok("?")).is_ok();
        }
        let pattern = pattern();
        let mut left = GIGABYTE;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n");
        let mut taken = stream.write_all(head.as_bytes()).is_ok();
        while taken && left > 0 {
            let piece = &pattern[..left.min(pattern.len())];
            taken = stream.write_all(piece).is_ok();
            left -= piece.len();
        }
        taken
    })
}

fn digest_of_a_gigabyte() -> String {
    let pattern = pattern();
    let mut hasher = Sha256::new();
    let mut left = GIGABYTE;
    while left > 0 {
        let length = left.min(pattern.len());
        hasher.update(&pattern[..length]);
        left -= length;
    }
    format!("{:x}", hasher.finalize())
}

/// More than what is under way at any time, and far less than what passes.
const GROWTH: u64 = 24 << 20;

#[test]
fn a_gigabyte_down_arrives_whole_and_in_flat_memory() {
    let Some(curl) = program("curl") else { return };
    let upstream = upload_sink();
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let expected = digest_of_a_gigabyte();
    for (protocol, _) in PROTOCOLS {
        let before = gateway.memory();
        let url = format!("http://{}/down", gateway.address);
        let mut client = Command::new(&curl);
        let mut client = client
            .args(["-s", "--noproxy", "*", protocol, &url])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut hasher, mut piece, mut most) = (Sha256::new(), vec![0; 1 << 20], 0);
        let mut body = client.stdout.take().unwrap();
        while let Ok(length @ 1..) = body.read(&mut piece) {
            hasher.update(&piece[..length]);
            most = most.max(gateway.memory());
        }
        assert!(client.wait().unwrap().success());
        assert_eq!(format!("{:x}", hasher.finalize()), expected, "{protocol}");
        assert!(
            most < before + GROWTH,
            "{protocol}: {before} bytes before, {most} at the most"
        );
    }
}

#[test]
fn a_gigabyte_up_arrives_whole_and_in_flat_memory() {
    let Some(curl) = program("curl") else { return };
    let expected = digest_of_a_gigabyte();
    let upstream = crate::support::RawUpstream::new(|mut wire, _| {
        while let Some(head) = wire.head() {
            assert!(
                head.to_lowercase().contains("transfer-encoding: chunked"),
                "{head}"
            );
            let mut hasher = Sha256::new();
            while let Some(chunk) = wire.chunk() {
                hasher.update(&chunk);
            }
            wire.say(ok(&format!("{:x}", hasher.finalize())));
        }
    });
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    for (protocol, _) in PROTOCOLS {
        let before = gateway.memory();
        let url = format!("http://{}/up", gateway.address);
        let mut client = Command::new(&curl);
        client.args([
            "-s",
            "--noproxy",
            "*",
            protocol,
            "-X",
            "PUT",
            "-T",
            "-",
            &url,
        ]);
        let mut client = client
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut body = client.stdin.take().unwrap();
        let (pattern, mut left, mut most) = (pattern(), GIGABYTE, 0);
        while left > 0 {
            let length = left.min(pattern.len());
            body.write_all(&pattern[..length]).unwrap();
            left -= length;
            most = most.max(gateway.memory());
        }
        drop(body);
        let said = client.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            expected,
            "{protocol}"
        );
        assert!(
            most < before + GROWTH,
            "{protocol}: {before} bytes before, {most} at the most"
        );
    }
}

/// Each event is sent only when curl has printed the one before.
#[test]
fn events_arrive_one_by_one() {
    let Some(curl) = program("curl") else { return };
    for (protocol, _) in PROTOCOLS {
        let (next, asked) = channel::<()>();
        let asked = Mutex::new(asked);
        let upstream = Upstream::with_stream(move |_, stream| {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            let mut number = 0;
            while asked.lock().unwrap().recv().is_ok() {
                let event = format!("data: {number}\n\n");
                stream
                    .write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
                    .unwrap();
                number += 1;
            }
            stream.write_all(b"0\r\n\r\n").is_ok()
        });
        let gateway = gateway(OPEN).upstream(upstream.address).start();
        let url = format!("http://{}/events", gateway.address);
        let mut client = Command::new(&curl);
        client
            .args(["--no-buffer", "-s", "--noproxy", "*", protocol, &url])
            .stdout(Stdio::piped());
        let mut client = client.spawn().unwrap();
        let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
        for number in 0..5 {
            next.send(()).unwrap();
            assert_eq!(
                lines.next().unwrap().unwrap(),
                format!("data: {number}"),
                "{protocol}"
            );
            assert_eq!(lines.next().unwrap().unwrap(), "");
        }
        drop(next);
        assert!(lines.next().is_none());
        assert!(client.wait().unwrap().success());
    }
}
