//! The token of a browser's WebSocket: `Sec-WebSocket-Protocol: bearer, TOKEN`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::frames::{END_HEADERS, HEADERS, field, frame};
use crate::support::{
    Connection, FrameConnection, Gateway, GatewayBuilder, RawUpstream, gateway, output, program,
    python, sign_in,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /known, allow: authenticated }
      - { path: /picks, allow: authenticated }
  kept:
    hosts: [kept.test]
    upstream: http://UPSTREAM
    identity: { authorization: forward }
    rules: [ { path: /**, allow: authenticated } ]
";

const SOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n";

/// A service that switches, picks `chat` at `/picks`, and keeps the heads that it gets.
struct Service {
    upstream: RawUpstream,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn new() -> Self {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        let upstream = RawUpstream::new(move |mut wire, _| {
            while let Some(head) = wire.head() {
                let picked = match head.contains(" /picks ") {
                    true => "Sec-WebSocket-Protocol: chat\r\n",
                    false => "",
                };
                let switches = head.to_lowercase().contains("\r\nupgrade: ");
                kept.lock().unwrap().push(head);
                if !switches {
                    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                    continue;
                }
                wire.say(format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: x\r\n{picked}\r\nhello"
                ));
                while let Some(byte) = wire.exact(1) {
                    wire.say(byte);
                }
            }
        });
        Self { upstream, heads }
    }

    /// The protocols of the last request.
    fn protocols(&self) -> String {
        let heads = self.heads.lock().unwrap();
        all_of(heads.last().unwrap(), "sec-websocket-protocol")
    }
}

/// The values of a head's field.
fn all_of(head: &str, name: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let values = lines.filter(|(field, _)| field.eq_ignore_ascii_case(name));
    let values: Vec<_> = values.map(|(_, value)| value).collect();
    values.join(" | ")
}

fn start(service: &Service) -> GatewayBuilder {
    gateway(SERVICES).upstream(service.upstream.address)
}

fn open(gateway: &Gateway, path: &str, fields: &str) -> (u16, String, Connection) {
    let mut client = Connection::open(gateway.address);
    let host = if fields.contains("Host: ") {
        ""
    } else {
        "Host: a\r\n"
    };
    client.write(format!("GET {path} HTTP/1.1\r\n{host}{SOCKET}{fields}\r\n"));
    let head = client.read_head().unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, all_of(&head, "sec-websocket-protocol"), client)
}

#[test]
fn the_token_is_taken_out_and_the_services_protocols_stay() {
    let service = Service::new();
    let gateway = start(&service).start();
    let token = gateway.token("rita");
    let own = |protocols: &str| {
        let lines = protocols
            .split(" | ")
            .map(|line| format!("Sec-WebSocket-Protocol: {line}\r\n"));
        lines.collect::<String>().replace("TOKEN", &token)
    };
    let session = sign_in(&gateway, "carl") + "Sec-Fetch-Site: same-origin\r\n";
    for (path, fields, user, sent, picked) in [
        ("/known", own("bearer, TOKEN"), "rita", "", "bearer"),
        ("/known", own("bearer,TOKEN"), "rita", "", "bearer"),
        ("/known", own("Bearer, TOKEN"), "rita", "", "Bearer"),
        ("/known", own("bearer | TOKEN"), "rita", "", "bearer"),
        (
            "/known",
            own("chat, bearer, TOKEN, json"),
            "rita",
            "chat, json",
            "bearer",
        ),
        (
            "/known",
            own("chat | bearer, TOKEN | json"),
            "rita",
            "chat, json",
            "bearer",
        ),
        ("/picks", own("bearer, TOKEN, chat"), "rita", "chat", "chat"),
        ("/open", own("bearer, TOKEN"), "rita", "", "bearer"),
        (
            "/known",
            own("bearer, TOKEN") + &session,
            "rita",
            "",
            "bearer",
        ),
        (
            "/known",
            own("bearer, TOKEN") + "Authorization: Basic eDp5\r\n",
            "rita",
            "",
            "bearer",
        ),
        (
            "/known",
            own("bearer, TOKEN") + "Host: kept.test\r\n",
            "rita",
            "",
            "bearer",
        ),
        // the service's own: no token of the gateway, beside a session or where nobody needs one
        (
            "/known",
            own("bearer, of-the-app") + &session,
            "carl",
            "bearer, of-the-app",
            "",
        ),
        (
            "/open",
            own("bearer, of-the-app"),
            "",
            "bearer, of-the-app",
            "",
        ),
        ("/open", own("chat, json"), "", "chat, json", ""),
        // what is refused today may be accepted tomorrow
        ("/open", own("bearer, TOKENx"), "", "", "bearer"),
        ("/open", own("chat, bearer, TOKENx"), "", "chat", "bearer"),
    ] {
        let (status, answered, mut client) = open(&gateway, path, &fields);
        assert_eq!(
            (status, answered.as_str()),
            (101, picked),
            "{path} {fields}"
        );
        assert_eq!(client.read_exact(5), "hello");
        assert_eq!(service.protocols(), sent, "{path} {fields}");
        let head = service.heads.lock().unwrap().last().unwrap().clone();
        assert_eq!(all_of(&head, "remote-user"), user, "{path} {fields}");
        assert!(!head.contains(&token), "{path} {fields}: {head}");
    }
    assert!(!gateway.printed().contains(&token), "it is in the log");
}

#[test]
fn one_token_counts_and_only_where_a_socket_is_opened() {
    let service = Service::new();
    let gateway = start(&service).start();
    let (token, gone) = (gateway.token("rita"), gateway.token("carl") + "x");
    let session = sign_in(&gateway, "carl") + "Sec-Fetch-Site: same-origin\r\n";
    let own = |protocols: &str| format!("Sec-WebSocket-Protocol: {protocols}\r\n");
    for (fields, status) in [
        (own(&format!("bearer, {token}, bearer, {token}")), 400),
        (own(&format!("bearer, {token}")).repeat(2), 400),
        (own(&format!("bearer, {token}, {token}")), 400),
        (own("bearer"), 400),
        (own("chat, bearer"), 400),
        (own("bearer, bearer"), 400),
        (
            own(&format!("bearer, {token}")) + &gateway.bearer("rita"),
            400,
        ),
        (
            own(&format!("bearer, {token}")) + &gateway.bearer("carl"),
            400,
        ),
        (
            own(&format!("bearer, {token}")) + "X-Api-Key: glk_x\r\n",
            400,
        ),
        (own(&format!("bearer, {gone}")), 401),
        (own(&format!("bearer, {gone}")) + &session, 401),
        (own("bearer, of-the-app"), 401),
        (own("bearer, glk_x"), 401),
        (own(&token), 401),
    ] {
        let (answered, _, _) = open(&gateway, "/known", &fields);
        assert_eq!(answered, status, "{fields}");
    }
    let field = own(&format!("bearer, {token}"));
    assert_eq!(
        gateway.get("/known", &field).status,
        401,
        "no socket is opened"
    );
    let other = format!("Connection: Upgrade\r\nUpgrade: echo\r\n{field}");
    assert_eq!(
        gateway.get("/known", &other).status,
        401,
        "another protocol has no such field"
    );
}

/// As a browser asks over HTTP/2 (RFC 8441).
#[test]
fn it_counts_over_http2() {
    let service = Service::new();
    let gateway = start(&service).start();
    let protocols = format!("chat, bearer, {}", gateway.token("rita"));
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/known"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", &protocols),
    ];
    let block: Vec<u8> = fields
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect();
    let mut client = FrameConnection::open(gateway.address);
    client.write(frame(HEADERS, END_HEADERS, 1, &block));
    let head = client.until(|frame| frame.kind == HEADERS);
    assert!(head.is_ok(), "{head:?}");
    assert_eq!(service.protocols(), "chat");
}

#[test]
fn the_socket_ends_with_the_token() {
    let service = Service::new();
    let gateway = start(&service).auth_token("access_ttl: 3s").start();
    let fields = format!(
        "Sec-WebSocket-Protocol: bearer, {}\r\n",
        gateway.token("rita")
    );
    let (status, _, mut client) = open(&gateway, "/known", &fields);
    assert_eq!(status, 101);
    client.read_to_end();
    let line = gateway.line("/known");
    assert_eq!(line["reason"], "closed: the token has expired", "{line}");
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With services and clients that check what is picked, as browsers do.
#[test]
fn websockets_of_others_bring_it() {
    let Some(python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/websocket_echo.py");
    let mut server = Running(
        Command::new(&python)
            .args([script, "serve"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut port = String::new();
    let lines = &mut std::io::BufReader::new(server.0.stdout.as_mut().unwrap());
    std::io::BufRead::read_line(lines, &mut port).unwrap();
    let address = format!("127.0.0.1:{}", port.trim()).parse().unwrap();
    let gateway = gateway(SERVICES).upstream(address).start();
    let (url, token) = (
        format!("ws://{}/known", gateway.address),
        gateway.token("rita"),
    );
    let said = output(Command::new(&python).args([script, "offer", &url, &token]));
    assert_eq!(said.trim(), "user=rita bearer echo");
    if let Some(chromium) = program("chromium") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/web_socket.py");
        let page = format!("http://{}/auth/login", gateway.address);
        let mut command = Command::new(&python);
        command
            .arg(script)
            .arg(page)
            .arg(chromium)
            .args([&url, &token]);
        let found: Value = serde_json::from_str(&output(&mut command)).unwrap();
        assert_eq!(
            found,
            json!([
                ["bearer", "user=rita", "echo"],
                ["bearer", "user=rita", "echo"],
                "failed"
            ])
        );
    }
}
