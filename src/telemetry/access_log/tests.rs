use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::mpsc::{Sender, channel};
use std::time::UNIX_EPOCH;

use super::*;
use crate::access::ClientAddress;

/// Passes on what is written; fails while nobody listens.
struct Pipe(Sender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(bytes.to_vec())
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(format: LineFormat) -> (AccessLog, Receiver<Vec<u8>>) {
    let (pipe, reader) = channel();
    (AccessLog::start(format, Box::new(Pipe(pipe))), reader)
}

fn minimal() -> AccessLine<'static> {
    AccessLine {
        time: UNIX_EPOCH,
        request_id: "r1",
        client: ClientAddress::Unknown,
        user: None,
        provider: None,
        method: "GET",
        host: "",
        path: "/",
        service: None,
        rule: None,
        decision: "not_found",
        reason: None,
        status: 404,
        bytes: 0,
        upstream: None,
        duration: Duration::ZERO,
        upstream_duration: None,
        aborted: None,
        trace_id: None,
    }
}

fn full() -> AccessLine<'static> {
    AccessLine {
        time: UNIX_EPOCH + Duration::from_millis(1_735_689_600_050),
        request_id: "01934-a",
        client: ClientAddress::Known(Ipv4Addr::new(10, 0, 0, 7).into()),
        user: Some("alice@example.com"),
        provider: None,
        method: "POST",
        host: "jobs.example.com:8080",
        path: "/jobs/a\"b",
        service: Some("jobs"),
        rule: Some("POST /jobs/*"),
        decision: "allowed",
        reason: Some("upstream broke\noff"),
        status: 201,
        bytes: 1234,
        upstream: Some("127.0.0.1:9000"),
        duration: Duration::from_micros(12_034),
        upstream_duration: Some(Duration::from_micros(999)),
        aborted: Some(Aborted::Upstream),
        trace_id: None,
    }
}

#[track_caller]
fn check(format: LineFormat, line: &AccessLine<'_>, expected: &str) {
    let (log, reader) = start(format);
    log.shard().write(line);
    log.close();
    let written: Vec<u8> = reader.iter().flatten().collect();
    assert_eq!(String::from_utf8(written).unwrap(), format!("{expected}\n"));
}

#[test]
fn text_lines() {
    check(
        LineFormat::Text,
        &minimal(),
        "time=1970-01-01T00:00:00.000Z type=access request_id=r1 client=unknown method=GET host=\"\" path=/ decision=not_found \
         status=404 bytes=0 duration_ms=0.000",
    );
    check(
        LineFormat::Text,
        &full(),
        "time=2025-01-01T00:00:00.050Z type=access request_id=01934-a client=10.0.0.7 user=alice@example.com \
         method=POST host=jobs.example.com:8080 path=\"/jobs/a\\\"b\" service=jobs rule=\"POST /jobs/*\" \
         decision=allowed reason=\"upstream broke\\noff\" status=201 bytes=1234 duration_ms=12.034 \
         upstream=127.0.0.1:9000 upstream_ms=0.999 aborted=upstream",
    );
}

#[test]
fn a_terminal_shows_what_needs_attention() {
    for (status, shown) in [
        (201, "201"),
        (404, "\u{1b}[33m404\u{1b}[0m"),
        (502, "\u{1b}[31m502\u{1b}[0m"),
    ] {
        let line = AccessLine {
            status,
            ..minimal()
        };
        check(
            LineFormat::Coloured,
            &line,
            &format!(
                "time=1970-01-01T00:00:00.000Z type=access request_id=r1 client=unknown method=GET host=\"\" path=/ \
                 decision=not_found status={shown} bytes=0 duration_ms=0.000"
            ),
        );
    }
}

#[test]
fn json_lines() {
    check(
        LineFormat::Json,
        &AccessLine {
            client: ClientAddress::Known(Ipv6Addr::LOCALHOST.into()),
            ..minimal()
        },
        r#"{"timestamp":"1970-01-01T00:00:00.000Z","type":"access","request_id":"r1","client":"::1","method":"GET","host":"","path":"/","decision":"not_found","status":404,"bytes":0,"duration_ms":0.000}"#,
    );
    check(
        LineFormat::Json,
        &full(),
        r#"{"timestamp":"2025-01-01T00:00:00.050Z","type":"access","request_id":"01934-a","client":"10.0.0.7","user":"alice@example.com","method":"POST","host":"jobs.example.com:8080","path":"/jobs/a\"b","service":"jobs","rule":"POST /jobs/*","decision":"allowed","reason":"upstream broke\noff","status":201,"bytes":1234,"duration_ms":12.034,"upstream":"127.0.0.1:9000","upstream_ms":0.999,"aborted":"upstream"}"#,
    );
}

#[test]
fn lines_arrive_while_the_log_is_open() {
    let (log, reader) = start(LineFormat::Json);
    let shard = log.shard();
    for _ in 0..3 {
        shard.write(&minimal());
        assert!(reader.recv().unwrap().ends_with(b"}\n"));
    }
}

#[test]
fn closing_writes_the_lines_of_all_workers() {
    let (log, reader) = start(LineFormat::Text);
    let workers: Vec<_> = (0..4)
        .map(|_| log.shard())
        .map(|shard| thread::spawn(move || (0..1000).for_each(|_| shard.write(&minimal()))))
        .collect();
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
    let dropped = log.dropped();
    log.close();
    let lines = reader
        .iter()
        .flatten()
        .filter(|byte| *byte == b'\n')
        .count();
    assert_eq!((lines, dropped.lines()), (4000, 0));
}

#[test]
fn a_broken_pipe_costs_lines_only() {
    let (log, reader) = start(LineFormat::Text);
    drop(reader);
    let (shard, dropped) = (log.shard(), log.dropped());
    shard.write(&minimal());
    shard.write(&minimal());
    log.close();
    assert_eq!(dropped.lines(), 2);
    shard.write(&minimal());
    assert_eq!(dropped.lines(), 3);
}

/// Announces each write, then waits to be let on.
struct Gate {
    entered: Sender<()>,
    open: Receiver<()>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // both fail when the test is over, and then anything goes
        let _ = self.entered.send(());
        let _ = self.open.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_does_not_read_costs_lines_and_never_blocks() {
    let ((entered, blocked), (opener, open)) = (channel(), channel());
    let log = AccessLog::start(LineFormat::Text, Box::new(Gate { entered, open }));
    let shard = log.shard();
    shard.write(&minimal());
    blocked.recv().unwrap();
    let path = "x".repeat(1 << 20);
    for _ in 0..10 {
        shard.write(&AccessLine {
            path: &path,
            ..minimal()
        });
    }
    assert_eq!(log.dropped().lines(), 2);
    drop(opener);
    log.close();
}

#[test]
fn the_buffer_of_a_worker_that_is_gone_is_written_and_forgotten() {
    let (log, reader) = start(LineFormat::Text);
    log.shard().write(&minimal());
    let shared = Arc::clone(&log.shared);
    log.close();
    assert_eq!(reader.iter().count(), 1);
    // the last list may still hold it, for the worker may have gone just then; the next does not
    let _ = shared.buffers();
    assert!(shared.buffers().is_empty());
}
