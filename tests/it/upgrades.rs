//! WebSockets and other protocols behind an upgrade: opened by the rules, and closed when they no longer allow it.

use std::process::{Command, Stdio};

use crate::support::{
    Connection, FrameConnection, Gateway, GatewayBuilder, RawUpstream, Upstream, frames, gateway,
    ok, output, python, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /known, allow: authenticated }
      - { path: /jobs, allow: { roles: [recruiter] } }
";

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Own: 1\r\n\r\n";

/// Says `hello` behind its 101, and then what it hears.
pub fn echoing() -> RawUpstream {
    RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap().to_lowercase();
        assert!(
            head.contains("\r\nupgrade: echo\r\n") && head.contains("\r\nconnection: upgrade\r\n"),
            "{head}"
        );
        wire.say(format!("{SWITCH}hello"));
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    })
}

/// A request for that protocol.
pub fn ask(path: &str, fields: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: Echo\r\n{fields}\r\n"
    )
}

/// An open tunnel that has carried bytes both ways.
pub fn open(gateway: &Gateway, path: &str, fields: &str) -> Connection {
    let mut client = Connection::open(gateway.address);
    client.write(ask(path, fields));
    let head = client.read_head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let lower = head.to_lowercase();
    assert!(
        lower.contains("connection: upgrade\r\n") && lower.contains("upgrade: echo\r\n"),
        "{head}"
    );
    assert!(lower.contains("x-own: 1\r\n"), "{head}");
    assert_eq!(client.read_exact(5), "hello");
    client.write("ping");
    assert_eq!(client.read_exact(4), "ping");
    client
}

fn start(upstream: &RawUpstream) -> Gateway {
    gateway(SERVICES).upstream(upstream.address).start()
}

#[test]
fn bytes_pass_both_ways_behind_an_upgrade() {
    let upstream = echoing();
    let gateway = start(&upstream);
    let mut client = open(&gateway, "/open", "");
    assert!((gateway.metric("gatelatch_tunnels") - 1.0).abs() < f64::EPSILON);
    let large = "x".repeat(300_000);
    std::thread::scope(|scope| {
        let mut writer = client.split();
        scope.spawn(move || {
            writer.write(large.as_bytes());
        });
        assert_eq!(client.read_exact(300_000).len(), 300_000);
    });
    client.finish();
    assert_eq!(
        client.read_to_end(),
        "",
        "the end of one side is the end of the other"
    );
    let line = gateway.line("/open");
    assert_eq!(
        (&line["status"], &line["bytes"]),
        (&101.into(), &300_009.into()),
        "{line}"
    );
    assert!(line["aborted"].is_null(), "{line}");
    until("it is counted out", || {
        gateway.metric("gatelatch_tunnels") == 0.0
    });
}

#[test]
fn what_a_client_sends_before_its_answer_is_not_lost() {
    let upstream = echoing();
    let gateway = start(&upstream);
    let mut client = Connection::open(gateway.address);
    client.write(ask("/open", "") + "early");
    assert!(client.read_head().unwrap().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.read_exact(10), "helloearly");
}

#[test]
fn an_upgrade_is_decided_like_any_request() {
    let upstream = echoing();
    let gateway = start(&upstream);
    for (path, fields, status) in [
        ("/known", String::new(), 401),
        ("/jobs", gateway.bearer("carl"), 403),
        ("/none", gateway.bearer("rita"), 403),
    ] {
        let answer = Connection::open(gateway.address)
            .write(ask(path, &fields))
            .read();
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(upstream.accepted(), 0);
    drop(open(&gateway, "/jobs", &gateway.bearer("rita")));
}

#[test]
fn an_upstream_need_not_switch() {
    let upstream = Upstream::saying("no thanks");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let mut client = Connection::open(gateway.address);
    for request in 0..2 {
        let answer = client.write(ask("/open", "")).read();
        assert_eq!((answer.status, answer.body.as_str()), (200, "no thanks"));
        assert_eq!(
            upstream.received()[request].connection,
            request,
            "its connection is not used again"
        );
    }
}

#[test]
fn an_upstream_that_switches_unasked_or_elsewhere_is_not_followed() {
    let upstream = RawUpstream::new(|mut wire, _| {
        wire.head().unwrap();
        wire.say(SWITCH);
        wire.drain();
    });
    let gateway = start(&upstream);
    assert_eq!(gateway.get("/open", "").status, 502);
    let other = ask("/open", "").replace("Echo", "websocket");
    assert_eq!(
        Connection::open(gateway.address).write(other).read().status,
        502
    );
}

#[test]
fn what_cannot_be_passed_on_is_answered_without_an_upgrade() {
    let upstream = Upstream::saying("plain");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: a, b\r\n",
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n",
    ] {
        let body = if fields.contains("Content-Length") {
            "hi"
        } else {
            ""
        };
        let request = format!("GET /open HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
        let answer = Connection::open(gateway.address).write(request).read();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "plain"),
            "{fields}"
        );
    }
    for request in upstream.received() {
        let names = ["upgrade", "http2-settings"].map(|name| request.fields(name).len());
        assert_eq!(names, [0, 0], "{}", request.head);
    }
}

#[test]
fn a_tunnel_ends_with_its_token() {
    let upstream = echoing();
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth_token("access_ttl: 3s")
        .start();
    let mut client = open(&gateway, "/known", &gateway.bearer("rita"));
    assert_eq!(client.read_to_end(), "");
    let line = gateway.line("/known");
    assert_eq!(line["reason"], "closed: the token has expired", "{line}");
    assert_eq!(line["aborted"], "gateway", "{line}");
}

fn closed_by(change: impl FnOnce(&Gateway), path: &str) {
    let upstream = echoing();
    let gateway = start(&upstream);
    let mut stays = open(&gateway, "/open", "");
    let mut ends = open(&gateway, path, &gateway.bearer("rita"));
    change(&gateway);
    assert_eq!(ends.read_to_end(), "");
    assert_eq!(
        gateway.line(path)["reason"],
        "closed: it is not allowed any more"
    );
    stays.write("still");
    assert_eq!(stays.read_exact(5), "still", "others go on");
}

#[test]
fn a_tunnel_ends_when_its_user_is_disabled() {
    let disable = |gateway: &Gateway| {
        let users = gateway
            .read("users.yaml")
            .replace("name: Rita", "disabled: true, name: Rita");
        gateway.replace("users.yaml", &users);
    };
    closed_by(disable, "/known");
}

#[test]
fn a_tunnel_ends_when_its_user_loses_the_role() {
    let demote = |gateway: &Gateway| {
        let users =
            gateway
                .read("users.yaml")
                .replacen("roles: [recruiter]", "roles: [candidate]", 1);
        gateway.replace("users.yaml", &users);
    };
    closed_by(demote, "/jobs");
}

#[test]
fn a_tunnel_ends_when_its_rule_goes() {
    let close = |gateway: &Gateway| {
        let config = gateway.read("gateway.yaml").replace(
            "{ path: /known, allow: authenticated }",
            "{ path: /known, allow: nobody }",
        );
        gateway.replace("gateway.yaml", &config);
    };
    closed_by(close, "/known");
}

#[test]
fn a_silent_tunnel_ends() {
    let upstream = echoing();
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("timeouts: { tunnel: 200ms }")
        .start();
    let mut client = open(&gateway, "/open", "");
    assert_eq!(client.read_to_end(), "");
    assert_eq!(
        gateway.line("/open")["reason"],
        "closed: nothing moved for too long"
    );
}

#[test]
fn a_drain_waits_for_tunnels_until_its_deadline() {
    let upstream = echoing();
    let timeouts = "timeouts: { drain: 1s }";
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server(timeouts)
        .start();
    let mut client = open(&gateway, "/open", "");
    gateway.signal("TERM");
    gateway.event("draining");
    client.write("going on");
    assert_eq!(client.read_exact(8), "going on");
    assert_eq!(client.read_to_end(), "");
    assert_eq!(gateway.line("/open")["aborted"], "gateway");
    assert!(gateway.ended().success());
}

/// A WebSocket server of another library, and a client of it.
#[test]
fn websockets_of_another_library_work() {
    let Some(python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/websocket_echo.py");
    let mut server = Command::new(&python)
        .args([script, "serve"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(server.stdout.as_mut().unwrap()),
        &mut port,
    )
    .unwrap();
    let address = format!("127.0.0.1:{}", port.trim()).parse().unwrap();
    let gateway: GatewayBuilder = gateway(SERVICES).upstream(address);
    let gateway = gateway.start();
    let said = output(Command::new(&python).args([
        script,
        "talk",
        &format!("ws://{}/jobs", gateway.address),
        &gateway.token("rita"),
    ]));
    assert_eq!(
        said.trim(),
        "user=rita, 100 messages, 1000000 bytes, closed 1000"
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

/// The same with tokio-tungstenite, and a ping that passes through.
#[test]
fn a_tungstenite_client_reaches_the_upstream() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = gateway(SERVICES).upstream(address).start();
    let mut request = format!("ws://{}/known", gateway.address)
        .into_client_request()
        .unwrap();
    let token = format!("Bearer {}", gateway.token("carl"));
    request
        .headers_mut()
        .insert("authorization", token.parse().unwrap());
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut server = tokio_tungstenite::tungstenite::accept(stream).unwrap();
        while let Ok(message) = server.read() {
            if message.is_text() {
                server.send(message).unwrap();
            }
        }
    });
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std({
            let stream = std::net::TcpStream::connect(gateway.address).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        });
        let (mut socket, answer) = tokio_tungstenite::client_async(request, stream.unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 101);
        socket
            .send(Message::Ping("are you there".into()))
            .await
            .unwrap();
        socket.send(Message::text("hello")).await.unwrap();
        let mut heard = Vec::new();
        while heard.len() < 2 {
            heard.push(socket.next().await.unwrap().unwrap());
        }
        assert_eq!(
            heard,
            [
                Message::Pong("are you there".into()),
                Message::text("hello")
            ]
        );
        socket.close(None).await.unwrap();
        while socket.next().await.is_some() {}
    });
    assert_eq!(gateway.line("/known")["user"], "carl");
}

#[test]
fn a_socket_that_was_left_is_not_used_again() {
    let upstream = RawUpstream::new(|mut wire, connection| {
        let Some(head) = wire.head() else { return };
        if head.contains("Echo") || head.contains("echo") {
            wire.say(SWITCH);
            wire.drain();
            return;
        }
        wire.say(ok(if connection == 0 { "first" } else { "later" }));
        wire.drain();
    });
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .workers(1)
        .start();
    let mut client = Connection::open(gateway.address);
    client.write(ask("/open", ""));
    assert!(client.read_head().unwrap().starts_with("HTTP/1.1 101 "));
    assert_eq!(gateway.get("/open", "").body, "later");
}

/// Says 101 to a WebSocket, and then what it hears.
fn websocket() -> RawUpstream {
    RawUpstream::new(|mut wire, _| {
        let head = wire.head().unwrap();
        let lower = head.to_lowercase();
        assert!(head.starts_with("GET /"), "{head}");
        assert!(
            lower.contains("\r\nupgrade: websocket\r\n")
                && lower.contains("\r\nsec-websocket-key: "),
            "{head}"
        );
        assert!(
            lower.contains("\r\nsec-websocket-version: 13\r\n"),
            "{head}"
        );
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello",
        );
        while let Some(byte) = wire.exact(1) {
            wire.say(byte);
        }
    })
}

/// `CONNECT` for a WebSocket, as a browser asks over HTTP/2 (RFC 8441).
fn extended_connect(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", path),
        ("sec-websocket-version", "13"),
    ];
    fields
        .iter()
        .flat_map(|(name, value)| frames::field(name, value))
        .collect()
}

fn data_on(client: &mut FrameConnection, stream: u32, length: usize) -> String {
    let mut data = Vec::new();
    while data.len() < length {
        data.extend(
            client
                .until(|frame| frame.kind == frames::DATA && frame.stream == stream)
                .payload,
        );
    }
    String::from_utf8(data).unwrap()
}

#[test]
fn a_websocket_over_http2_reaches_an_upstream_of_http1() {
    let upstream = websocket();
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut client = FrameConnection::open(gateway.address);
    client.write(frames::frame(
        frames::HEADERS,
        frames::END_HEADERS,
        1,
        &extended_connect("/known"),
    ));
    let refused = client.until(|frame| frame.kind == frames::HEADERS);
    assert!(!refused.is_ok(), "nobody is signed in");
    client.write(frames::frame(
        frames::HEADERS,
        frames::END_HEADERS,
        3,
        &extended_connect("/open"),
    ));
    client.until(|frame| frame.kind == frames::HEADERS && frame.stream == 3);
    assert_eq!(data_on(&mut client, 3, 5), "hello");
    assert_eq!(upstream.accepted(), 1);
    for round in 0..3 {
        client.write(frames::frame(
            frames::DATA,
            0,
            3,
            format!("round {round}").as_bytes(),
        ));
        assert_eq!(data_on(&mut client, 3, 7), format!("round {round}"));
    }
    client.write(frames::frame(frames::DATA, frames::END_STREAM, 3, b""));
    client.until(|frame| frame.stream == 3 && frame.ends_stream());
    let line = gateway.line("/open");
    assert_eq!(
        (&line["status"], &line["bytes"], &line["method"]),
        (&200.into(), &26.into(), &"CONNECT".into())
    );
}

#[test]
fn a_connect_that_is_not_extended_is_not_allowed() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut client = FrameConnection::open(gateway.address);
    let block = [
        frames::field(":method", "CONNECT"),
        frames::field(":authority", "a:80"),
    ]
    .concat();
    client.write(frames::frame(
        frames::HEADERS,
        frames::END_HEADERS,
        1,
        &block,
    ));
    let answer = client.until(|frame| frame.kind == frames::HEADERS);
    assert!(!answer.is_ok());
    assert!(upstream.received().is_empty());
}

#[test]
fn a_tunnel_ends_when_its_session_is_logged_out() {
    let log_out = |gateway: &Gateway, bearer: &str| {
        let request =
            format!("POST /auth/logout HTTP/1.1\r\nHost: a\r\n{bearer}Content-Length: 0\r\n\r\n");
        assert_eq!(
            Connection::open(gateway.address)
                .write(request)
                .read()
                .status,
            204
        );
    };
    let upstream = echoing();
    let gateway = start(&upstream);
    let (one, other) = (gateway.bearer("rita"), gateway.bearer("rita"));
    let mut ends = open(&gateway, "/known", &one);
    let mut stays = open(&gateway, "/jobs", &other);
    log_out(&gateway, &one);
    assert_eq!(ends.read_to_end(), "");
    assert_eq!(
        gateway.line("/known")["reason"],
        "closed: it is not allowed any more"
    );
    stays.write("still");
    assert_eq!(
        stays.read_exact(5),
        "still",
        "another session of the same user"
    );
}

/// The client of a WebSocket is told so in its own words, where a frame may come next (RFC 6455, section 7.4.1).
#[test]
fn a_websocket_that_is_not_allowed_any_more_is_closed_with_a_frame() {
    let upstream = RawUpstream::new(|mut wire, _| {
        let Some(head) = wire.head() else { return };
        wire.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        // a whole frame, or the beginning of one
        let frame: &[u8] = if head.contains("whole") {
            b"\x81\x02hi"
        } else {
            b"\x81\x05hi"
        };
        wire.say(frame);
        while wire.exact(1).is_some() {}
    });
    let gateway = start(&upstream);
    let open = |form: &str| {
        let mut client = Connection::open(gateway.address);
        let bearer = gateway.bearer("rita");
        client.write(format!(
            "GET /known?{form} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n{bearer}\r\n"
        ));
        let head = client.read_head().unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    };
    let (mut whole, mut half) = (open("whole"), open("half"));
    // bytes of it have arrived before it ends
    let first = whole.read_bytes(4);
    assert_eq!(half.read_bytes(4), b"\x81\x05hi");
    let users = gateway.read("users.yaml");
    let disabled = users.replace("name: Rita", "disabled: true, name: Rita");
    gateway.replace("users.yaml", &disabled);
    assert_eq!(first, b"\x81\x02hi");
    assert_eq!(whole.read_bytes(4), b"\x88\x02\x03\xf0");
    assert_eq!(whole.read_to_end(), "");
    assert_eq!(half.read_to_end(), "");
    assert_eq!(
        gateway.line("/known")["reason"],
        "closed: it is not allowed any more"
    );
}
