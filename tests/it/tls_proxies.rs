//! Proxies that take TLS off and introduce their clients in the PROXY protocol: whom the gateway believes then, and how it
//! takes the client to have come.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::proxy_protocol::{Proxy, V4, haproxy, v2};
use crate::support::{
    Authority, Connection, Curled, Gateway, PASSWORD, Upstream, curl, gateway, program, until,
};

const SERVICES: &str = "
  all: { upstream: http://UPSTREAM, rules: [ { path: /open, allow: anyone }, { path: /**, allow: authenticated } ] }
";

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n";

fn start(upstream: &Upstream, settings: &str) -> Gateway {
    gateway(SERVICES)
        .upstream(upstream.address)
        .server(&format!(
            "proxy_protocol: {settings}, trusted_proxies: [127.0.0.1]"
        ))
        .start()
}

/// A header of version 2 with the extension for TLS, with these bits for the client.
fn with_tls(client: u8) -> Vec<u8> {
    let extensions = [0xea, 0, 1, 9, 0x20, 0, 5, client, 0, 0, 0, 0];
    v2(0x21, 0x11, &[V4, &extensions[..]].concat())
}

/// What a service is told of a request that comes behind a header, with these fields: scheme, host and address.
fn told(gateway: &Gateway, upstream: &Upstream, header: &[u8], fields: &str) -> [String; 3] {
    let request =
        format!("GET /open HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n{fields}\r\n");
    let mut client = Connection::open(gateway.address);
    let answer = client.write([header, request.as_bytes()].concat()).read();
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = upstream.received().last().unwrap().clone();
    let field = |name: &str| received.fields(name).concat();
    [
        field("x-forwarded-proto"),
        field("x-forwarded-host"),
        field("x-real-ip"),
    ]
}

#[test]
fn the_proxys_own_address_says_whose_fields_are_believed() {
    let upstream = Upstream::saying("hi");
    let fields =
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.test\r\nX-Forwarded-For: 9.9.9.9\r\n";
    let believed = ["https", "app.test", "192.0.2.7"];
    let own = ["http", "own.test", "192.0.2.7"];
    for (settings, expected) in [
        ("true", believed),
        ("{ mode: http }", believed),
        ("{ mode: tcp }", own),
    ] {
        let gateway = start(&upstream, settings);
        for header in [V1.to_vec(), v2(0x21, 0x11, V4)] {
            assert_eq!(
                told(&gateway, &upstream, &header, fields),
                expected,
                "{settings}"
            );
        }
        // the header is the word about the client, whatever else the proxy passes on
        let forwarded = "Forwarded: for=9.9.9.9;proto=https;host=app.test\r\n";
        assert_eq!(
            told(&gateway, &upstream, V1, forwarded),
            expected,
            "{settings}"
        );
    }
    // who is no trusted proxy says nothing, and sends no header
    let stranger = gateway(SERVICES)
        .upstream(upstream.address)
        .server("proxy_protocol: true, trusted_proxies: [192.0.2.0/24]")
        .start();
    assert_eq!(
        told(&stranger, &upstream, b"", fields),
        ["http", "own.test", "127.0.0.1"]
    );
}

#[test]
fn a_header_or_the_configuration_says_that_a_client_came_over_tls() {
    let upstream = Upstream::saying("hi");
    for (settings, header, scheme) in [
        ("true", V1.to_vec(), "http"),
        ("true", with_tls(1), "https"),
        ("true", with_tls(0b111), "https"),
        ("true", with_tls(0), "http"),
        ("true", with_tls(0b110), "http"),
        ("{ tls: auto }", with_tls(1), "https"),
        ("{ tls: always }", V1.to_vec(), "https"),
        ("{ tls: always }", with_tls(0), "https"),
        ("{ tls: never }", with_tls(1), "http"),
        ("{ tls: always, mode: tcp }", V1.to_vec(), "https"),
    ] {
        let gateway = start(&upstream, settings);
        let [told, ..] = told(&gateway, &upstream, &header, "");
        assert_eq!(told, scheme, "{settings} {header:?}");
    }
    // an extension that cannot be read says nothing
    let gateway = start(&upstream, "true");
    for broken in [&[0x20, 0, 1, 1][..], &[0x20, 0, 9, 1, 0, 0, 0, 0], &[0x20]] {
        let header = v2(0x21, 0x11, &[V4, broken].concat());
        assert_eq!(
            told(&gateway, &upstream, &header, "")[0],
            "http",
            "{broken:?}"
        );
    }
}

/// Headers that name no client: of a proxy that speaks for itself, or for somebody whose address it does not say.
fn unnamed() -> [Vec<u8>; 8] {
    let extended = |client: u8| [0x20, 0, 5, client, 0, 0, 0, 0];
    [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 9.9.9.9 10.0.0.1 12345 80\r\n".to_vec(),
        v2(0x20, 0, &[]),
        // LOCAL: nothing else in the header counts
        v2(0x20, 0x11, &[V4, &extended(1)].concat()),
        v2(0x21, 0, &[]),
        v2(0x21, 0x12, V4),
        v2(0x21, 0x31, &[b'x'; 216]),
        v2(0x21, 0, &extended(0)),
    ]
}

#[test]
fn a_header_without_a_client_opens_nothing_that_one_with_a_client_does_not() {
    let upstream = Upstream::saying("hi");
    let fields =
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.test\r\nX-Forwarded-For: 9.9.9.9\r\n";
    let of_proxy = ["https", "app.test", "9.9.9.9"];
    for (settings, silent, with_fields) in [
        ("true", "http", of_proxy),
        ("{ mode: http }", "http", of_proxy),
        ("{ mode: tcp }", "http", ["http", "own.test", "127.0.0.1"]),
        ("{ tls: always }", "https", of_proxy),
        (
            "{ mode: tcp, tls: always }",
            "https",
            ["https", "own.test", "127.0.0.1"],
        ),
        (
            "{ mode: tcp, tls: never }",
            "http",
            ["http", "own.test", "127.0.0.1"],
        ),
    ] {
        let gateway = start(&upstream, settings);
        for header in unnamed() {
            let told_of = |fields: &str| told(&gateway, &upstream, &header, fields);
            let check = [silent, "own.test", "127.0.0.1"];
            assert_eq!(told_of(""), check, "{settings} {header:?}");
            assert_eq!(told_of(fields), with_fields, "{settings} {header:?}");
            let forwarded = "Forwarded: for=9.9.9.9;proto=https;host=app.test\r\n";
            assert_eq!(told_of(forwarded), with_fields, "{settings} {header:?}");
        }
        // a client over a socket without addresses, which came over TLS
        let over_tls = v2(0x21, 0, &[0x20, 0, 5, 1, 0, 0, 0, 0]);
        let [scheme, ..] = told(&gateway, &upstream, &over_tls, "");
        let expected = if settings.contains("never") {
            "http"
        } else {
            "https"
        };
        assert_eq!(scheme, expected, "{settings}");
    }
}

/// A gateway behind a proxy that takes TLS off, and that proxy's certificate with its key.
struct Setting {
    gateway: Gateway,
    _upstream: Upstream,
    ca: String,
    pem: String,
}

fn setting(proxy_protocol: &str) -> Setting {
    let (upstream, authority) = (Upstream::saying("hi"), Authority::new("test"));
    let gateway = start(&upstream, proxy_protocol);
    let paths = authority
        .issue(&["gateway.test"])
        .write(gateway.folder(), "tls");
    drop(paths);
    let read = |name: &str| std::fs::read_to_string(gateway.path(name)).unwrap();
    let pem = format!("{}{}", read("tls.key"), read("tls.crt"));
    std::fs::write(gateway.path("proxy.pem"), pem).unwrap();
    std::fs::write(gateway.path("ca.crt"), authority.certificate()).unwrap();
    let path = |name: &str| gateway.path(name).to_str().unwrap().to_owned();
    let (ca, pem) = (path("ca.crt"), path("proxy.pem"));
    Setting {
        gateway,
        _upstream: upstream,
        ca,
        pem,
    }
}

/// A browser signs in over TLS at this port, and is known then.
fn signs_in(setting: &Setting, port: u16) -> Option<()> {
    let origin = format!("https://gateway.test:{port}");
    let resolve = format!("gateway.test:{port}:127.0.0.1");
    let ask = |path: &str, more: &[&str]| -> Option<Curled> {
        let url = format!("{origin}{path}");
        let common = [
            "--http1.1",
            "--cacert",
            &setting.ca,
            "--resolve",
            &resolve,
            "--interface",
            "127.0.0.9",
            &url,
        ];
        curl(&[&common[..], more].concat())
    };
    let form = format!("username=rita&password={}", PASSWORD.replace(' ', "+"));
    let from = format!("Origin: {origin}");
    let answer = ask(
        "/auth/login",
        &["-H", "Accept: text/html", "-H", &from, "-d", &form],
    )?;
    assert_eq!(answer.status, 303, "{answer:?}");
    let line = answer.text.lines().find(|line| {
        line.to_lowercase()
            .starts_with("set-cookie: __host-gatelatch=")
    });
    let line = line.unwrap_or_else(|| panic!("{answer:?}"));
    assert!(line.contains("; Secure"), "{line}");
    let cookie = line["set-cookie: ".len()..].split(';').next().unwrap();
    let me = ask("/auth/me", &["-H", &format!("Cookie: {cookie}")])?;
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(setting.gateway.line("/auth/login")["client"], "127.0.0.9");
    Some(())
}

#[test]
fn people_sign_in_behind_haproxy_that_takes_tls_off() {
    for (mode, options, field) in [
        (
            "http",
            "send-proxy-v2",
            "http-request set-header X-Forwarded-Proto https",
        ),
        (
            "http",
            "send-proxy",
            "http-request set-header X-Forwarded-Proto https",
        ),
        ("tcp", "send-proxy-v2-ssl", ""),
    ] {
        let setting = setting("true");
        let config = format!(
            "defaults
    mode {mode}
    timeout client 20s
    timeout server 20s
    timeout connect 5s
frontend front
    bind fd@3 ssl crt {}
    {field}
    default_backend gateway
backend gateway
    server gateway {} {options}
",
            setting.pem, setting.gateway.address
        );
        let Some((_proxy, address)) = haproxy(setting.gateway.folder(), &config) else {
            return;
        };
        if signs_in(&setting, address.port()).is_none() {
            return;
        }
    }
}

/// The port that a program or one of its children listens on.
fn port_of(process: u32) -> Option<u16> {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).unwrap_or_default();
    let all = format!("{children} {process}");
    let sockets: Vec<String> = all
        .split_whitespace()
        .filter_map(|id| std::fs::read_dir(format!("/proc/{id}/fd")).ok())
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_listening = columns[3] == "0A" && sockets.iter().any(|inode| inode == columns[9]);
        let (_, port) = columns[1].split_once(':')?;
        is_listening.then(|| u16::from_str_radix(port, 16).unwrap())
    })
}

/// Starts a program that listens, and finds its port.
pub fn run(command: &mut Command) -> (Proxy, u16) {
    let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let proxy = Proxy(process.unwrap());
    let (id, mut port) = (proxy.0.id(), None);
    until("the proxy listens", || {
        port = port_of(id);
        port.is_some()
    });
    (proxy, port.unwrap())
}

/// hitch in front, and its port.
fn hitch(setting: &Setting, version: &str) -> Option<(Proxy, u16)> {
    let SocketAddr::V4(backend) = setting.gateway.address else {
        unreachable!("the gateway listens on 127.0.0.1");
    };
    Some(run(Command::new(program("hitch")?).args([
        "--frontend=[127.0.0.1]:0",
        &format!("--backend=[{}]:{}", backend.ip(), backend.port()),
        &format!("--write-proxy-v{version}=on"),
        "--daemon=off",
        "--workers=1",
        // it runs no worker as root
        if rustix::process::geteuid().is_root() {
            "--user=nobody"
        } else {
            "--quiet"
        },
        &setting.pem,
    ])))
}

#[test]
fn people_sign_in_behind_hitch() {
    for (version, settings) in [
        ("2", "true"),
        ("1", "{ tls: always }"),
        ("2", "{ mode: tcp }"),
    ] {
        let setting = setting(settings);
        let Some((_proxy, port)) = hitch(&setting, version) else {
            return;
        };
        if signs_in(&setting, port).is_none() {
            return;
        }
    }
}

/// hitch takes the end of one direction for the end of both: a client that still writes would see a reset.
#[test]
fn a_refused_upload_behind_hitch_is_answered() {
    let setting = setting("{ mode: tcp }");
    let Some((_proxy, port)) = hitch(&setting, "2") else {
        return;
    };
    let file = setting.gateway.path("upload");
    std::fs::write(&file, vec![b'x'; 2 << 20]).unwrap();
    let resolve = format!("gateway.test:{port}:127.0.0.1");
    let (url, body) = (
        format!("https://gateway.test:{port}/closed"),
        format!("@{}", file.display()),
    );
    let common = ["--http1.1", "--cacert", &setting.ca, "--resolve", &resolve];
    let upload = ["-H", "Expect:", "--data-binary", &body, &url];
    for attempt in 0..15 {
        let Some(answer) = curl(&[&common[..], &upload].concat()) else {
            return;
        };
        assert_eq!(answer.status, 401, "{attempt}: {answer:?}");
    }
}

#[test]
fn people_sign_in_behind_stunnel() {
    let Some(stunnel) = program("stunnel") else {
        return;
    };
    let setting = setting("{ tls: always, mode: tcp }");
    let config = setting.gateway.path("stunnel.conf");
    let lines = format!(
        "foreground = yes\npid =\n[gateway]\naccept = 127.0.0.1:0\nconnect = {}\ncert = {}\nprotocol = proxy\n",
        setting.gateway.address, setting.pem
    );
    std::fs::write(&config, lines).unwrap();
    let (_proxy, port) = run(Command::new(stunnel).arg(Path::new(&config)));
    signs_in(&setting, port);
}
