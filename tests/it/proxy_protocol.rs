//! A load balancer in front that says who its client is: in the PROXY protocol, or in fields.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{
    Authority, Connection, FrameConnection, Gateway, GatewayBuilder, TlsClient, Upstream, curl,
    gateway, program, until,
};

const OPEN: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /**, allow: anyone } ] }
";

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const TRUSTED: &str = "proxy_protocol: true, trusted_proxies: [127.0.0.1]";

fn rejected(gateway: &Gateway) -> f64 {
    gateway.metric("gatelatch_rejected_connections_total{reason=\"proxy_protocol\"}")
}

fn behind(upstream: &Upstream, server: &str) -> GatewayBuilder {
    gateway(OPEN).upstream(upstream.address).server(server)
}

/// A header of version 2: command and version, family and protocol, what follows.
pub fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n",
        &[command, family][..],
        &length,
        rest,
    ]
    .concat()
}

pub const V4: &[u8] = &[192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80];

fn v6() -> Vec<u8> {
    let address = |last: u8| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&address(7)[..], &address(1), &[0x30, 0x39, 0, 80]].concat()
}

#[test]
fn the_source_becomes_the_client() {
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, TRUSTED).start();
    // extensions of the version, which say nothing here
    let extended = [V4, &[0xea, 0, 3, 1, 2, 3]].concat();
    for (header, client) in [
        (
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(),
            "192.0.2.7",
        ),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 12345 80\r\n".to_vec(),
            "2001:db8::7",
        ),
        (
            b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 12345 80\r\n".to_vec(),
            "192.0.2.7",
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (
            b"PROXY UNKNOWN 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(),
            "127.0.0.1",
        ),
        (v2(0x21, 0x11, V4), "192.0.2.7"),
        (v2(0x21, 0x11, &extended), "192.0.2.7"),
        (v2(0x21, 0x21, &v6()), "2001:db8::7"),
        (v2(0x20, 0x00, &[]), "127.0.0.1"),
        (v2(0x20, 0x11, V4), "127.0.0.1"),
        (v2(0x21, 0x00, &[]), "127.0.0.1"),
        (v2(0x21, 0x12, V4), "127.0.0.1"),
        (v2(0x21, 0x31, &[b'x'; 216]), "127.0.0.1"),
    ] {
        // at once, and byte by byte
        for size in [1000, 1] {
            let mut connection = Connection::open(gateway.address);
            for piece in [&header[..], GET].concat().chunks(size) {
                connection.write(piece);
            }
            let shown = String::from_utf8_lossy(&header);
            assert_eq!(connection.read().status, 200, "{shown:?}");
            assert_eq!(gateway.line("/a")["client"], client, "{shown:?}");
            assert_eq!(
                upstream
                    .received()
                    .last()
                    .unwrap()
                    .fields("x-forwarded-for"),
                [client],
                "{shown:?}"
            );
        }
    }
    assert_eq!(rejected(&gateway), 0.0);
}

/// The health checks of load balancers: they speak for themselves, and end the connection in one way or the other.
#[test]
fn a_check_of_a_proxy_is_no_attempt() {
    let authority = Authority::new("test");
    let certified = authority.issue(&["gateway.test"]);
    let server = format!("{TRUSTED}, tls: {{ certificate: tls.crt, private_key: tls.key }}");
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, &server)
        .prepare(move |folder| drop(certified.write(folder, "tls")))
        .start();
    for header in [&b""[..], b"PROXY UNKNOWN\r\n", &v2(0x20, 0x00, &[])] {
        for linger in [None, Some(std::time::Duration::ZERO)] {
            let mut check = std::net::TcpStream::connect(gateway.address).unwrap();
            check.write_all(header).unwrap();
            socket2::SockRef::from(&check).set_linger(linger).unwrap();
        }
    }
    // a check of TLS ends when the gateway has shown its certificate; version 1 may name the proxy itself
    let headers: [fn(SocketAddr) -> Vec<u8>; 3] = [
        |_| b"PROXY UNKNOWN\r\n".to_vec(),
        |_| v2(0x20, 0x00, &[]),
        |own| format!("PROXY TCP4 {0} {0} {1} 443\r\n", own.ip(), own.port()).into_bytes(),
    ];
    for header in headers {
        for linger in [None, Some(std::time::Duration::ZERO)] {
            let check = TlsClient::new(&[authority.certificate()], None);
            let check = check.begin(gateway.address, header);
            socket2::SockRef::from(&check).set_linger(linger).unwrap();
        }
    }
    // what is no check is counted, behind all of them
    Connection::open(gateway.address)
        .write([b"PROXY UNKNOWN\r\n", GET].concat())
        .read_to_end();
    let handshakes = "gatelatch_rejected_connections_total{reason=\"handshake\"}";
    until("it is counted", || gateway.metric(handshakes) > 0.0);
    assert_eq!((gateway.metric(handshakes), rejected(&gateway)), (1.0, 0.0));
}

#[test]
fn what_is_no_header_is_refused_from_those_who_must_send_one() {
    let upstream = Upstream::saying("hi");
    let gateway = behind(
        &upstream,
        &format!("{TRUSTED}, timeouts: {{ handshake: 300ms }}"),
    )
    .start();
    // a look at the port is no attempt
    drop(Connection::open(gateway.address));
    let mut count = 0.0;
    let mut refused = |bytes: &[u8]| {
        let answer = Connection::open(gateway.address)
            .write_while_taken(bytes, 1)
            .finish()
            .read_to_end();
        assert_eq!(answer, "", "{bytes:?}");
        count += 1.0;
        until("it is counted", || rejected(&gateway) == count);
    };
    for header in [
        &b""[..],
        b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n",
        b"PROXY TCP4 192.0.2.256 10.0.0.1 12345 80\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 99999\r\n",
        b"PROXY TCP4 2001:db8::7 10.0.0.1 12345 80\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 12345 80\r\n",
        b"proxy TCP4 192.0.2.7 10.0.0.1 12345 80\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80 and very much more than a header of version 1 may ever have, with no end",
    ] {
        refused(&[header, GET].concat());
    }
    for header in [
        v2(0x31, 0x11, V4),
        v2(0x22, 0x11, V4),
        v2(0x21, 0x41, V4),
        v2(0x21, 0x11, &V4[..8]),
        v2(0x21, 0x21, V4),
        v2(0x21, 0x31, V4),
        v2(0x21, 0x11, &[0; 60_000]),
    ] {
        refused(&[&header, GET].concat());
    }
    refused(b"PROXY TCP4 192.0.2.7");
    let late = Connection::open(gateway.address)
        .write("PROXY TCP4 192.0.2.7")
        .read_to_end();
    assert_eq!(late, "");
    until("it is counted", || rejected(&gateway) == count + 1.0);
    assert!(upstream.received().is_empty());
    let event = gateway.named_event("connection_rejected");
    assert_eq!(
        (&event["reason"], &event["client_ip"]),
        (&"proxy_protocol".into(), &"127.0.0.1".into()),
        "{event}"
    );
}

#[test]
fn nobody_else_says_who_the_client_is() {
    let upstream = Upstream::saying("hi");
    for server in [
        "proxy_protocol: true, trusted_proxies: [192.0.2.0/24]",
        "trusted_proxies: [127.0.0.1]",
    ] {
        let gateway = behind(&upstream, server).start();
        for header in [
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(),
            v2(0x21, 0x11, V4),
        ] {
            let answer = Connection::open(gateway.address)
                .write([&header, GET].concat())
                .read_to_end();
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
                "{server}: {answer:?}"
            );
        }
        assert_eq!(
            Connection::open(gateway.address).write(GET).read().status,
            200,
            "{server}"
        );
        assert_eq!(gateway.line("/a")["client"], "127.0.0.1");
    }
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn it_comes_before_http2_and_before_tls() {
    let upstream = Upstream::saying("hi");
    let plain = behind(&upstream, TRUSTED).start();
    let mut client = FrameConnection::silent(plain.address);
    let start = [
        crate::support::frames::PREFACE,
        &crate::support::frames::frame(4, 0, 0, &[]),
    ]
    .concat();
    client
        .write([v2(0x21, 0x11, V4), start].concat())
        .get(1, "/a");
    client.until(|frame| frame.stream == 1 && frame.ends_stream());
    assert_eq!(plain.line("/a")["client"], "192.0.2.7");
    let authority = Authority::new("test");
    let certified = authority.issue(&["127.0.0.1"]);
    let tls = format!("{TRUSTED}, tls: {{ certificate: tls.crt, private_key: tls.key }}");
    let secured = behind(&upstream, &tls)
        .prepare(move |folder| drop(certified.write(folder, "tls")))
        .start();
    std::fs::write(secured.path("ca.crt"), authority.certificate()).unwrap();
    let ca = secured.path("ca.crt").display().to_string();
    for (gateway, scheme) in [(&plain, "http"), (&secured, "https")] {
        for version in ["--http1.1", "--http2"] {
            let url = format!("{scheme}://{}/curled", gateway.address);
            let Some(answer) = curl(&["--haproxy-protocol", version, "--cacert", &ca, &url]) else {
                return;
            };
            assert_eq!(answer.status, 200, "{scheme} {version}: {answer:?}");
        }
    }
    assert_eq!((rejected(&plain), rejected(&secured)), (0.0, 0.0));
}

#[test]
fn a_reload_turns_it_on_for_new_connections() {
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, "trusted_proxies: [127.0.0.1]").start();
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("trusted_proxies", "proxy_protocol: true, trusted_proxies"),
    );
    gateway.event("configuration reloaded");
    let header = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n";
    assert_eq!(
        Connection::open(gateway.address)
            .write([&header[..], GET].concat())
            .read()
            .status,
        200
    );
    assert_eq!(gateway.line("/a")["client"], "192.0.2.7");
}

/// A proxy; it is killed when it is dropped.
pub struct Proxy(pub Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// HAProxy with the configuration, listening on a port that it is handed over as descriptor 3.
pub fn haproxy(folder: &Path, config: &str) -> Option<(Proxy, SocketAddr)> {
    let (python, haproxy) = (program("python3")?, program("haproxy")?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/hand_over.py");
    std::fs::write(folder.join("haproxy.cfg"), config).unwrap();
    let mut command = Command::new(python);
    command.args([
        script.as_path(),
        Path::new("tcp"),
        Path::new("--"),
        &haproxy,
        Path::new("-db"),
        Path::new("-f"),
    ]);
    let mut process = command
        .arg(folder.join("haproxy.cfg"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    Some((
        Proxy(process),
        SocketAddr::from(([127, 0, 0, 1], port.trim().parse().unwrap())),
    ))
}

#[test]
fn haproxy_in_front_says_who_the_client_is() {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let server = "proxy_protocol: true, trusted_proxies: [127.0.0.1], tls: { certificate: tls.crt, private_key: tls.key }";
    let certified = authority.issue(&["gateway.test"]);
    let gateway = behind(&upstream, server)
        .prepare(move |folder| drop(certified.write(folder, "tls")))
        .listen("\"127.0.0.1:0\"");
    let gateway = gateway.start();
    let ca = gateway.path("ca.crt");
    std::fs::write(&ca, authority.certificate()).unwrap();
    for (options, http) in [
        ("send-proxy", "1.1"),
        ("send-proxy-v2", "2"),
        ("send-proxy-v2-ssl-cn", "2"),
    ] {
        // HAProxy passes on what it does not understand, and the client's address (another one of this machine) with it
        let config = format!(
            "defaults
    mode tcp
    timeout client 20s
    timeout server 20s
    timeout connect 5s
frontend front
    bind fd@3
    default_backend gateway
backend gateway
    server gateway {} {options} check inter 100ms
",
            gateway.address
        );
        let Some((_proxy, address)) = haproxy(gateway.folder(), &config) else {
            return;
        };
        let resolve = format!("gateway.test:{}:127.0.0.1", address.port());
        let url = format!("https://gateway.test:{}/a", address.port());
        let version = if http == "2" { "--http2" } else { "--http1.1" };
        let arguments = [
            "--cacert",
            ca.to_str().unwrap(),
            "--resolve",
            &resolve,
            "--interface",
            "127.0.0.9",
            version,
            &url,
        ];
        let Some(answer) = curl(&arguments) else {
            return;
        };
        assert_eq!(
            (answer.status, answer.version.as_str()),
            (200, http),
            "{options}: {answer:?}"
        );
        assert_eq!(gateway.line("/a")["client"], "127.0.0.9", "{options}");
    }
    assert_eq!(rejected(&gateway), 0.0, "its checks are no attempts");
}

#[test]
fn nginx_in_front_reaches_a_unix_socket() {
    let Some(nginx) = program("nginx") else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let gateway = behind(&upstream, "trusted_proxies: [127.0.0.1]")
        .listen("unix:gateway.sock")
        .start();
    let folder = gateway.folder().display().to_string();
    let config = format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream gateway {{ server unix:{folder}/gateway.sock; keepalive 4; }}
    server {{
        listen unix:{folder}/nginx.sock;
        location / {{
            proxy_pass http://gateway;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For 192.0.2.7;
        }}
    }}
}}
"
    );
    std::fs::write(gateway.path("nginx.conf"), config).unwrap();
    let process = Command::new(nginx)
        .args([
            "-e",
            &format!("{folder}/start.log"),
            "-c",
            &format!("{folder}/nginx.conf"),
            "-p",
            &folder,
        ])
        .spawn();
    let _nginx = Proxy(process.unwrap());
    let socket = gateway.path("nginx.sock");
    until("nginx listens", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    for _ in 0..3 {
        let arguments = [
            "--unix-socket",
            socket.to_str().unwrap(),
            "http://jobs.example/a",
        ];
        let Some(answer) = curl(&arguments) else {
            return;
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        let line = gateway.line("/a");
        assert_eq!(
            (&line["client"], &line["host"]),
            (&"192.0.2.7".into(), &"jobs.example".into()),
            "{line}"
        );
    }
}
