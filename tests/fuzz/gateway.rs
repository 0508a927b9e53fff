//! A gateway inside this process, and an upstream behind it that looks at every head that arrives. What it must never see is a
//! panic, whatever thread it happens on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use gatelatch::config::load;
use gatelatch::server::{GatewaySettings, ListenAddress, run};
use gatelatch::telemetry::LineFormat;
use gatelatch::telemetry::access_log::AccessLog;

use crate::files::Folder;

/// Far beyond what an answer takes, and what a client would wait that a bug leaves without one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts both. Everything under `/public` is for anyone, everything else for nobody.
pub(crate) fn start(server: &str) -> SocketAddr {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = upstream.local_addr().expect("it is bound");
    thread::spawn(move || {
        for client in upstream.incoming().flatten() {
            thread::spawn(move || serve(client));
        }
    });
    let folder = Folder::new();
    let configuration = format!(
        "server: {{ listen: [\"127.0.0.1:0\"], workers: 1{server}, timeouts: {{ header: 1s, body: 1s }} }}
admin: {{ listen: off }}
log: {{ access: false, level: error }}
services:
  a:
    upstream: \"http://{address}\"
    rules:
      - {{ path: /public/**, allow: anyone }}
      - {{ path: /**, allow: nobody }}
"
    );
    folder.write("gateway.yaml", &configuration);
    folder.write("users.yaml", "users: {}");
    let request = folder.request();
    let loaded = load(&request).unwrap_or_else(|_| panic!("a configuration that is valid"));
    let access_log = AccessLog::start(LineFormat::Json, Box::new(io::sink()));
    let settings = GatewaySettings {
        loaded,
        request,
        access_log,
        events: None,
    };
    let (bound, listens) = sync_channel(1);
    thread::spawn(move || {
        let ended = run(settings, |at| {
            let Some(ListenAddress::Tcp(address)) = at.clients.first() else {
                panic!("it listens at a socket of TCP");
            };
            bound.send(*address).expect("somebody waits");
        });
        panic!("the gateway has ended: {ended:?}");
    });
    let address = listens.recv().expect("the gateway listens");
    // what is in force stays so where the files are gone
    drop(folder);
    address
}

/// What comes back for these bytes, until the gateway ends the connection. After `rest` without a byte the client ends its
/// own side, which the gateway takes for its end; `None`: the gateway must end it by itself.
pub(crate) fn exchange(gateway: SocketAddr, bytes: &[u8], rest: Option<Duration>) -> Vec<u8> {
    let mut client = TcpStream::connect(gateway).expect("the gateway listens");
    let first = rest.unwrap_or(PATIENCE);
    client.set_read_timeout(Some(first)).expect("a timeout");
    client.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    // it may have enough before everything is sent
    let _ = client.write_all(bytes);
    let (mut answers, mut is_over) = (Vec::new(), false);
    let mut piece = [0; 4096];
    loop {
        match client.read(&mut piece) {
            Ok(0) => return answers,
            Ok(count) => answers.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                assert!(rest.is_some() && !is_over, "the connection is never ended");
                is_over = true;
                client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                let _ = client.shutdown(Shutdown::Write);
            }
            Err(_) => return answers,
        }
    }
}

/// Answers each request with the address of the client that the gateway states.
fn serve(mut client: TcpStream) {
    let mut bytes = Vec::new();
    while let Some(head) = read_until(&mut client, &mut bytes, b"\r\n\r\n") {
        let fields = fields(&head);
        check(&head, &fields);
        let of = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        if of("transfer-encoding").is_some() {
            if read_until(&mut client, &mut bytes, b"0\r\n\r\n").is_none() {
                return;
            }
        } else if let Some(length) = of("content-length") {
            let length: usize = length.parse().expect("a length");
            if !fill(&mut client, &mut bytes, length) {
                return;
            }
            bytes.drain(..length);
        }
        let address = of("x-real-ip").unwrap_or_default();
        let is_head = head.starts_with(b"HEAD ");
        let body = if is_head { "" } else { address };
        let length = address.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        if client.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn fill(client: &mut TcpStream, bytes: &mut Vec<u8>, length: usize) -> bool {
    let mut piece = [0; 4096];
    while bytes.len() < length {
        match client.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
    true
}

/// What comes up to this end, and with it; `None` where the connection is over before.
fn read_until(client: &mut TcpStream, bytes: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = bytes.windows(end.len()).position(|some| some == end) {
            return Some(bytes.drain(..at + end.len()).collect());
        }
        let length = bytes.len() + 1;
        if !fill(client, bytes, length) {
            return None;
        }
    }
}

/// Names in lower case, and values.
fn fields(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let lines = text.split("\r\n").skip(1).filter(|line| !line.is_empty());
    let fields = lines.map(|line| line.split_once(':').expect("a field has a colon"));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    fields.collect()
}

/// What must hold of each head that a service gets.
fn check(head: &[u8], fields: &[(String, String)]) {
    let shown = String::from_utf8_lossy(head);
    let line = shown.lines().next().unwrap_or_default();
    let target = line.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    assert!(
        path == "/public" || path.starts_with("/public/"),
        "{shown:?}"
    );
    assert!(
        line.ends_with(" HTTP/1.1") && line.split(' ').count() == 3,
        "{shown:?}"
    );
    let is_dots = |segment: &str| segment == "." || segment == "..";
    assert!(
        !path
            .replace("%2E", ".")
            .replace("%2e", ".")
            .split('/')
            .any(is_dots),
        "{shown:?}"
    );
    // neither in a line of its own nor otherwise is there a bare CR or LF
    let bare = shown.replace("\r\n", "");
    assert!(!bare.contains(['\r', '\n', '\0']), "{shown:?}");
    let count = |wanted: &str| fields.iter().filter(|(name, _)| name == wanted).count();
    assert_eq!(count("host"), 1, "{shown:?}");
    assert_eq!(count("x-real-ip"), 1, "{shown:?}");
    assert!(
        count("content-length") + count("transfer-encoding") <= 1,
        "{shown:?}"
    );
    let folded =
        |name: &str| -> String { name.chars().filter(char::is_ascii_alphanumeric).collect() };
    for (name, _) in fields {
        let is_identity = [
            "remoteuser",
            "remotegroups",
            "xforwardeduser",
            "xauthrequestuser",
        ];
        assert!(!is_identity.contains(&folded(name).as_str()), "{shown:?}");
        assert!(!folded(name).starts_with("xgatelatch"), "{shown:?}");
    }
}
