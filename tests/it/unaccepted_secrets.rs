//! What a service does not accept is its own affair, unless it is a secret of the gateway: that reaches no service. And which
//! requests are asked for a password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::api_keys::{digest, key};
use crate::support::checks::Check;
use crate::support::{Gateway, PASSWORD, Received, Upstream, gateway, hash, sign_in};
use crate::upgrades::{echoing, open};

const SERVICES: &str = "
  sessions:
    path: /sessions
    upstream: http://UPSTREAM
    credentials: [cookie]
    rules: [ { path: /sessions/**, allow: anyone } ]
  passwords:
    path: /passwords
    upstream: http://UPSTREAM
    credentials: [basic]
    rules: [ { path: /passwords/open, allow: anyone }, { path: /passwords/**, allow: authenticated } ]
  all:
    path: /all
    upstream: http://UPSTREAM
    credentials: [bearer, cookie, basic]
    rules: [ { path: /all/**, allow: authenticated } ]
  usual:
    path: /usual
    upstream: http://UPSTREAM
    rules: [ { path: /usual/**, allow: anyone } ]
";

fn start(upstream: &Upstream) -> Gateway {
    let (password, digest) = (hash(), digest(&key('a')));
    gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .users(&format!(
            "users: {{ rita: {{ password: \"{password}\", roles: [], api_keys: [ {{ name: ci, hash: \"{digest}\" }} ] }} }}"
        ))
        .start()
}

fn basic(user: &str, password: &str) -> String {
    let pair = STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// What a service got in these fields.
fn got(upstream: &Upstream, names: [&str; 3]) -> Vec<String> {
    let request: Received = upstream.received().pop().expect("it was forwarded");
    let values = names
        .iter()
        .flat_map(|name| request.fields(name))
        .map(str::to_owned);
    values.collect()
}

const FIELDS: [&str; 3] = ["authorization", "x-api-key", "sec-websocket-protocol"];

#[test]
fn no_secret_of_the_gateway_reaches_a_service_that_does_not_accept_it() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let session = sign_in(&gateway, "rita");
    let token = gateway.token("rita");
    let key = key('a');
    for (path, fields, left) in [
        (
            "/sessions/x",
            format!("Authorization: Bearer {token}\r\n"),
            "",
        ),
        (
            "/sessions/x",
            format!("Authorization: Bearer {key}\r\n"),
            "",
        ),
        ("/sessions/x", format!("X-Api-Key: {key}\r\n"), ""),
        ("/sessions/x", basic("rita", &key), ""),
        (
            "/sessions/x",
            format!("{session}Authorization: Bearer {token}\r\n"),
            "",
        ),
        (
            "/passwords/open",
            format!("Authorization: Bearer {token}\r\n"),
            "",
        ),
        ("/passwords/open", format!("X-Api-Key: {key}\r\n"), ""),
        ("/usual/x", basic("rita", &key), ""),
        // the service's own stays
        (
            "/sessions/x",
            "Authorization: Bearer of-the-service\r\n".to_owned(),
            "Bearer of-the-service",
        ),
        (
            "/sessions/x",
            "X-Api-Key: of-the-service\r\n".to_owned(),
            "of-the-service",
        ),
        (
            "/usual/x",
            "Authorization: Basic eDp5\r\n".to_owned(),
            "Basic eDp5",
        ),
        (
            "/sessions/x",
            "Authorization: Digest username=\"glk_\"\r\n".to_owned(),
            "Digest username=\"glk_\"",
        ),
    ] {
        let answer = gateway.get(path, &fields);
        assert_eq!(answer.status, 200, "{path} {fields}: {answer:?}");
        assert_eq!(
            got(&upstream, FIELDS).join(" and "),
            left,
            "{path} {fields}"
        );
        // Envoy is told to take it out
        let check =
            Check::new("GET", &format!("http://app.test{path}"), &fields).from(Some("192.0.2.1"));
        let verdict = check.ask(&gateway);
        assert_eq!(verdict.code, 0, "{path} {fields}: {verdict:?}");
        let removed = FIELDS.iter().any(|name| verdict.removes(name));
        assert_eq!(removed, left.is_empty(), "{path} {fields}: {verdict:?}");
    }
    // beside what identifies the caller
    let both = basic("rita", PASSWORD) + &format!("X-Api-Key: {key}\r\n");
    assert_eq!(gateway.get("/passwords/x", &both).status, 200);
    assert_eq!(got(&upstream, FIELDS), Vec::<String>::new());
}

#[test]
fn the_token_of_a_websocket_reaches_no_service_by_another_request() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let protocols = format!(
        "Sec-WebSocket-Protocol: bearer, {}\r\n",
        gateway.token("rita")
    );
    for fields in [
        protocols.clone(),
        protocols.clone() + "Connection: Upgrade\r\nUpgrade: echo\r\n",
        protocols.clone() + "Upgrade: websocket\r\n",
        protocols.replace(": bearer", ": chat\r\nSec-WebSocket-Protocol: bearer"),
    ] {
        assert_eq!(gateway.get("/usual/x", &fields).status, 200, "{fields}");
        assert_eq!(got(&upstream, FIELDS), Vec::<String>::new(), "{fields}");
    }
    let check = Check::new("GET", "http://app.test/usual/x", &protocols).from(Some("192.0.2.1"));
    assert!(check.ask(&gateway).removes("sec-websocket-protocol"));
}

/// Browsers show a dialog for `Basic` in an answer to `fetch`, over a page that would rather ask itself.
#[test]
fn requests_of_a_page_are_not_asked_for_a_password() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    let challenges = |path: &str, fields: &str| -> Vec<String> {
        let answer = gateway.get(path, fields);
        assert_eq!(answer.status, 401, "{path} {fields}");
        let challenges = answer.headers("www-authenticate").into_iter();
        challenges.map(str::to_owned).collect()
    };
    let (basic, bearer) = (
        "Basic realm=\"gatelatch\", charset=\"UTF-8\"",
        "Bearer realm=\"gatelatch\"",
    );
    for (fields, asks) in [
        // git, curl, restic
        ("", true),
        ("Accept: */*\r\nUser-Agent: git/2.47\r\n", true),
        ("Sec-Fetch-Mode: cors\r\n", false),
        ("Sec-Fetch-Mode: same-origin\r\n", false),
        (
            "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n",
            false,
        ),
        ("X-Requested-With: XMLHttpRequest\r\n", false),
        ("Sec-Fetch-Mode: navigate\r\n", true),
    ] {
        let expected = if asks {
            vec![basic, bearer]
        } else {
            vec![bearer]
        };
        assert_eq!(challenges("/all/x", fields), expected, "{fields}");
        // where there is nothing else, the dialog is how people sign in
        assert_eq!(
            challenges("/passwords/x", fields),
            [basic, bearer],
            "{fields}"
        );
        let check = Check::new("GET", "http://app.test/all/x", fields).from(Some("192.0.2.1"));
        let denied = format!("{:?}", check.ask(&gateway));
        assert_eq!(denied.contains("Basic realm"), asks, "{fields}: {denied}");
        let asked = format!(
            "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /all/x\r\nX-Forwarded-Host: app.test\r\nX-Forwarded-Proto: http\r\n{fields}"
        );
        assert_eq!(challenges("/auth/verify", &asked), expected, "{fields}");
    }
    let wrong = self::basic("rita", "wrong") + "Sec-Fetch-Mode: cors\r\n";
    assert_eq!(challenges("/all/x", &wrong), [bearer]);
}

#[test]
fn a_tunnel_ends_where_its_service_accepts_its_credential_no_more() {
    let services = "
  app:
    upstream: http://UPSTREAM
    response_headers: { X-Own: \"1\" }
    credentials: [bearer, cookie]
    rules: [ { path: /me, allow: authenticated } ]
";
    let upstream = echoing();
    let gateway = gateway(services).upstream(upstream.address).start();
    let mut tunnel = open(&gateway, "/me", &gateway.bearer("rita"));
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("[bearer, cookie]", "[cookie]"),
    );
    assert_eq!(tunnel.read_to_end(), "");
    let reason = &gateway.line("/me")["reason"];
    assert_eq!(reason, "closed: it is not allowed any more");
}
