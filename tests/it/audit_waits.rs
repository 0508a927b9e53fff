//! The audit stream's places: who waits for one, who keeps one, and on what is decided after the wait.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::frames::{
    ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, field, frame,
};
use crate::support::{
    Connection, FrameConnection, Gateway, GatewayBuilder, PASSWORD, RawUpstream, Upstream, gateway,
    send, until,
};
use crate::upgrades::{ask, echoing, open};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open/**, allow: anyone }
      - { path: /known, allow: authenticated }
      - { path: /jobs, allow: { roles: [recruiter] } }
";

/// The places in the queue.
const PLACES: u32 = 8192;

/// More than the places in the queue, and what a pipe takes beside them.
const MANY: u32 = 9000;

fn audited() -> GatewayBuilder {
    gateway(SERVICES).more("log: { audit: audit.log }")
}

/// The 99th percentile of the time that ordinary requests take, one after the other.
fn p99(gateway: &Gateway) -> Duration {
    let mut client = Connection::open(gateway.address);
    let mut times = [(); 300].map(|()| {
        let asked = Instant::now();
        client.write("GET /open/a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.read().status, 200);
        asked.elapsed()
    });
    times.sort();
    times[296]
}

fn login_form() -> String {
    format!("username=rita&password={}", PASSWORD.replace(' ', "+"))
}

/// The head of a login whose form is still to come.
fn login_head(stream: u32) -> Vec<u8> {
    let block = [
        &[0x83, 0x86][..],
        &field(":path", "/auth/login"),
        &field(":authority", "a"),
        &field("content-type", "application/x-www-form-urlencoded"),
        &field("content-length", &login_form().len().to_string()),
    ]
    .concat();
    frame(HEADERS, END_HEADERS, stream, &block)
}

#[test]
fn logins_whose_body_is_awaited_take_no_place() {
    let upstream = Upstream::saying("hi");
    let gateway = audited().upstream(upstream.address).start();
    let without = p99(&gateway).max(p99(&gateway));
    let heads: Vec<u8> = (0..100)
        .flat_map(|login| login_head(2 * login + 1))
        .collect();
    let mut clients: Vec<FrameConnection> = (0..100)
        .map(|_| {
            let mut client = FrameConnection::open(gateway.address);
            client.write(&heads).write(frame(PING, 0, 0, &[0; 8]));
            client
        })
        .collect();
    for client in &mut clients {
        client.until(|frame| frame.kind == PING && frame.flags == ACK);
    }
    let with = p99(&gateway);
    // quiet machines see less than twice as much; this one has other tests to run
    assert!(with < 20 * without, "{with:?} instead of {without:?}");
    // they still have time to send their form: none had to be given up before the others were served
    for client in clients.iter_mut().step_by(10) {
        client.write(frame(DATA, END_STREAM, 1, login_form().as_bytes()));
        let answer = client.until(|frame| frame.kind == HEADERS && frame.stream == 1);
        assert!(answer.is_ok(), "{answer:?}");
    }
}

#[test]
fn answers_that_are_not_read_keep_no_place() {
    let upstream = Upstream::saying("hi");
    let gateway = audited()
        .upstream(upstream.address)
        .workers(1)
        .server("limits: { streams: 10000 }, timeouts: { body: 1h, idle: 1h }")
        .start();
    let mut client = FrameConnection::silent(gateway.address);
    let no_window = [0, 4, 0, 0, 0, 0];
    client
        .write(PREFACE)
        .write(frame(SETTINGS, 0, 0, &no_window));
    let mut reader = client.second();
    let answered = std::thread::spawn(move || {
        for _ in 0..MANY {
            reader.until(|frame| frame.kind == HEADERS);
        }
    });
    for request in 0..MANY {
        // it has two readings, which is nobody's denial
        client.get(2 * request + 1, "/open/%zz");
    }
    answered.join().unwrap();
    assert_eq!(gateway.get("/open/a", "").status, 200);
}

/// The reading end of the stream's named pipe. Nothing is read before [`Pipe::read`].
struct Pipe(File);

impl Pipe {
    fn prepare(folder: &Path) {
        let made = Command::new("mkfifo")
            .arg(folder.join("audit.log"))
            .status();
        assert!(made.unwrap().success());
    }

    fn open(gateway: &Gateway) -> Self {
        Self(File::open(gateway.path("audit.log")).unwrap())
    }

    /// Reads until a record of this kind has come, and gives all of them.
    fn read_until(self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut records = Vec::new();
        for line in BufReader::new(self.0).lines() {
            records.push(serde_json::from_str(&line.unwrap()).unwrap());
            if is_last(&records[records.len() - 1]) {
                break;
            }
        }
        records
    }
}

/// Denies requests until the queue is full. They last as long as what is given back.
fn fill(gateway: &Gateway) -> FrameConnection {
    let mut client = FrameConnection::open(gateway.address);
    let mut reader = client.second();
    std::thread::spawn(move || reader.read_to_end());
    for request in 0..MANY {
        client.get(2 * request + 1, "/jobs");
    }
    until("the queue is full", || {
        gateway.metric("gatelatch_audit_queued_records") >= f64::from(PLACES)
    });
    client
}

/// A gateway whose audit stream goes into a pipe that nobody reads yet.
fn piped(upstream: &RawUpstream) -> (Gateway, Pipe) {
    let gateway = audited()
        .upstream(upstream.address)
        .server("limits: { streams: 10000 }")
        .prepare(Pipe::prepare)
        .start();
    let pipe = Pipe::open(&gateway);
    (gateway, pipe)
}

/// How many users are in force.
fn users(gateway: &Gateway) -> Value {
    let admin = gateway.admin;
    let request = format!("GET /api/configuration HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    send(admin, request).json()["users"].clone()
}

/// Disables rita, and adds a user, by whom the change can be told.
fn disable_rita(gateway: &Gateway) {
    let users = gateway
        .read("users.yaml")
        .replace("name: Rita", "disabled: true, name: Rita");
    gateway.replace("users.yaml", &format!("{users}  new: {{ roles: [x] }}\n"));
}

#[test]
fn what_waited_for_a_place_is_decided_on_what_is_in_force_then() {
    let upstream = echoing();
    let (gateway, pipe) = piped(&upstream);
    let rita = gateway.bearer("rita");
    let _denied = fill(&gateway);
    let mut waiting: Vec<Connection> = [
        format!("GET /known HTTP/1.1\r\nHost: a\r\n{rita}\r\n"),
        ask("/known", &rita),
        ask("/jobs", &rita),
    ]
    .iter()
    .map(|request| {
        let mut client = Connection::open(gateway.address);
        client.write(request);
        client
    })
    .collect();
    let before = users(&gateway).as_u64().unwrap();
    disable_rita(&gateway);
    until("the change is in force", || users(&gateway) == before + 1);
    let reader = std::thread::spawn(move || BufReader::new(pipe.0).lines().count());
    for client in &mut waiting {
        assert_eq!(client.read().status, 401);
    }
    assert_eq!(upstream.accepted(), 0);
    drop(gateway);
    reader.join().unwrap();
}

#[test]
fn reloads_do_not_wait_for_a_full_stream() {
    let upstream = echoing();
    let (gateway, pipe) = piped(&upstream);
    let mut stays = open(&gateway, "/open/a", "");
    let mut ends = open(&gateway, "/known", &gateway.bearer("rita"));
    let denied = fill(&gateway);
    for number in 1..=3 {
        let users = gateway.read("users.yaml");
        gateway.replace(
            "users.yaml",
            &format!("{users}  more{number}: {{ roles: [x] }}\n"),
        );
        gateway.event("configuration reloaded");
    }
    disable_rita(&gateway);
    assert_eq!(ends.read_to_end(), "", "running tunnels are cut");
    stays.write("still");
    assert_eq!(stays.read_exact(5), "still");
    drop(denied);
    // what was changed is recorded all the same, once and in order
    let records = pipe.read_until(|record| record["user"] == "new");
    let numbers: Vec<u64> = records
        .iter()
        .map(|record| record["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
    let changed: Vec<String> = records
        .iter()
        .filter(|record| record["event"].as_str().unwrap().starts_with("user_"))
        .map(|record| format!("{} {}", record["event"], record["user"]).replace('"', ""))
        .collect();
    assert_eq!(
        changed,
        [
            "user_added more1",
            "user_added more2",
            "user_added more3",
            "user_added new"
        ]
    );
}

/// A login is decided when its body is there, and not when its head is.
#[test]
fn logins_are_decided_on_what_is_in_force_when_their_body_is_there() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut client = FrameConnection::open(gateway.address);
    client
        .write(login_head(1))
        .write(frame(PING, 0, 0, &[0; 8]))
        .until(|frame| frame.kind == PING && frame.flags == ACK);
    disable_rita(&gateway);
    gateway.event("configuration reloaded");
    client.write(frame(DATA, END_STREAM, 1, login_form().as_bytes()));
    let answer = client.until(|frame| frame.kind == HEADERS && frame.stream == 1);
    assert!(!answer.is_ok(), "she is disabled");
}
