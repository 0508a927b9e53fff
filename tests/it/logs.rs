//! What a run leaves in its logs, and what it never does.

use std::path::Path;

use serde_json::Value;

use crate::support::{
    Connection, GatewayBuilder, PASSWORD, SECRET, Streams, Upstream, gateway, send,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open/**, allow: anyone }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] }, name: post jobs }
      - { path: /jobs, methods: [GET], allow: authenticated }
";

fn in_text(builder: GatewayBuilder) -> GatewayBuilder {
    builder.more("log: { format: text, level: trace }")
}

#[test]
fn a_request_is_one_line_that_says_everything() {
    let upstream = Upstream::saying("hello");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let rita = gateway.bearer("rita");
    let request = format!(
        "POST /jobs?token=hidden HTTP/1.1\r\nHost: Jobs.Example\r\nContent-Length: 0\r\n{rita}\r\n"
    );
    assert_eq!(send(gateway.address, request).status, 200);
    let line = gateway.line("/jobs");
    let object = line.as_object().unwrap();
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    let mut expected = vec![
        "timestamp",
        "type",
        "request_id",
        "client",
        "user",
        "method",
        "host",
        "path",
        "service",
        "rule",
        "decision",
        "status",
        "bytes",
        "duration_ms",
        "upstream",
        "upstream_ms",
    ];
    expected.sort_unstable();
    assert_eq!(
        {
            let mut keys = keys;
            keys.sort_unstable();
            keys
        },
        expected
    );
    for (key, value) in [
        ("type", Value::from("access")),
        ("client", "127.0.0.1".into()),
        ("user", "rita".into()),
        ("method", "POST".into()),
        ("path", "/jobs".into()),
        ("service", "app".into()),
        ("rule", "post jobs".into()),
        ("decision", "allowed".into()),
        ("status", 200.into()),
        ("bytes", 5.into()),
        ("upstream", upstream.address.to_string().into()),
    ] {
        assert_eq!(line[key], value, "{key} in {line}");
    }
    assert!(
        line["host"]
            .as_str()
            .unwrap()
            .eq_ignore_ascii_case("jobs.example"),
        "{line}"
    );
    assert_eq!(
        upstream.only().fields("x-request-id"),
        [line["request_id"].as_str().unwrap()]
    );
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(line["duration_ms"].as_f64().unwrap() >= line["upstream_ms"].as_f64().unwrap());
}

/// A token of the gateway's issuer that names a key `gone`, for the credential of a request.
const GONE: &str = "Authorization: Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6ImdvbmUifQ.\
                    eyJpc3MiOiJnYXRlbGF0Y2giLCJhdWQiOiJnYXRlbGF0Y2giLCJzdWIiOiJyaXRhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2ln\r\n";

#[test]
fn a_refusal_says_why() {
    let gateway = gateway(SERVICES).start();
    let carl = gateway.bearer("carl");
    for (request, status, decision, reason, rule) in [
        (
            "GET /jobs",
            401,
            "unauthenticated",
            "Not authenticated",
            Some("GET /jobs"),
        ),
        (
            "GET /jobs bad",
            401,
            "unauthenticated",
            "the token is malformed",
            Some("GET /jobs"),
        ),
        (
            "GET /jobs gone",
            401,
            "unauthenticated",
            "the token is signed by a key that is not configured",
            Some("GET /jobs"),
        ),
        (
            "POST /jobs carl",
            403,
            "forbidden",
            "role missing",
            Some("post jobs"),
        ),
        ("DELETE /jobs", 403, "forbidden", "no rule", None),
        ("GET /open/x", 502, "allowed", "", Some("* /open/**")),
    ] {
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let credential = match words.next() {
            Some("carl") => &carl,
            Some("gone") => GONE,
            Some(_) => "Authorization: Bearer a.b.c\r\n",
            None => "",
        };
        let answer = send(
            gateway.address,
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{credential}\r\n"),
        );
        assert_eq!(answer.status, status, "{request}");
        let line = gateway.line(path);
        assert_eq!(
            (&line["status"], &line["decision"]),
            (&status.into(), &decision.into()),
            "{line}"
        );
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
        assert_eq!(line["rule"].as_str(), rule, "{line}");
    }
}

#[test]
fn the_access_log_can_be_off() {
    let upstream = Upstream::saying("hello");
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more("log: { access: false }")
        .start();
    assert_eq!(gateway.get("/open/quiet", "").status, 200);
    gateway.bearer("rita");
    assert_eq!(
        gateway.named_event("login")["user"],
        "rita",
        "events are something else"
    );
    gateway.signal("TERM");
    gateway.ended();
    assert!(
        !gateway.printed().contains("/open/quiet"),
        "{}",
        gateway.printed()
    );
}

#[test]
fn text_has_the_same_fields() {
    let upstream = Upstream::saying("hello");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more("log: { format: text }")
        .start();
    assert_eq!(gateway.get("/open/a?secret=1", "").status, 200);
    let line = gateway.line("path=/open/a ");
    let line = line.as_str().unwrap();
    for part in [
        "time=2",
        " type=access ",
        " client=127.0.0.1 ",
        " method=GET ",
        " host=gateway.test ",
        " service=app ",
        " rule=\"* /open/**\" ",
        " decision=allowed ",
        " status=200 ",
        " bytes=5 ",
        " upstream=127.0.0.1:",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn logins_are_events_in_a_stable_form() {
    let gateway = gateway(SERVICES).start();
    gateway.bearer("rita");
    let event = gateway.named_event("login");
    assert_eq!(
        (&event["user"], &event["client_ip"], &event["level"]),
        (&"rita".into(), &"127.0.0.1".into(), &"INFO".into())
    );
    gateway.login("rita", "wrong");
    let event = gateway.named_event("login_failed");
    assert_eq!(
        (&event["user"], &event["reason"], &event["level"]),
        (&"rita".into(), &"invalid".into(), &"WARN".into())
    );
    gateway.login(&"x".repeat(50_000), "wrong");
    let event = gateway.named_event("login_failed");
    assert_eq!(event["user"].as_str().unwrap(), "x".repeat(128) + "…");
}

/// Sends everything secret that there is, in every place where it may come, rightly and wrongly.
fn use_all_secrets(gateway: &crate::support::Gateway) -> Vec<String> {
    let token = gateway.token("rita");
    let signature = token.rsplit('.').next().unwrap().to_owned();
    gateway.login("rita", "a-wrong-password-hush11");
    gateway.login("nobody", "another-wrong-password-hush12");
    for field in [
        format!("Authorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}x\r\n"),
        format!("Authorization: Bearer\t{token}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Cookie: gatelatch={token}; other=cookie-secret-hush13\r\n"),
        format!("X-Forwarded-For: {token}\r\nReferer: http://a/?x={token}\r\n"),
    ] {
        for target in [
            "/jobs?q=query-secret-hush14",
            "/open/a?q=query-secret-hush14#fragment-secret-hush15",
            "/a//b?q=query-secret-hush14",
        ] {
            gateway.get(target, &field);
        }
    }
    let json = r#"{"username":"rita","password":"json-password-hush16","password":"json-password-hush16"}"#;
    let head = "Host: a\r\nContent-Type: application/json";
    send(
        gateway.address,
        format!(
            "POST /auth/login?p=query-secret-hush14 HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        ),
    );
    Connection::open(gateway.address)
        .write(format!("GET /a HTTP/1.1\r\nBroken {token}\r\n\r\n"))
        .read_to_end();
    let mut secrets = [
        "hush11", "hush12", "hush13", "hush14", "hush15", "hush16", PASSWORD, SECRET, "$2b$",
    ]
    .map(str::to_owned)
    .to_vec();
    secrets.push(signature);
    secrets
}

#[test]
fn no_token_password_or_query_is_ever_printed() {
    for (format, broken_config) in [
        ("json", "secret: \"short\""),
        (
            "text",
            "secrt: \"0123456789abcdef0123456789abcdef-test-secret\"",
        ),
    ] {
        let upstream = Upstream::saying("hello");
        let more = format!("log: {{ format: {format}, level: trace }}");
        let mut gateway = gateway(SERVICES)
            .upstream(upstream.address)
            .more(&more)
            .start();
        let secrets = use_all_secrets(&gateway);
        let config = gateway.read("gateway.yaml");
        gateway.replace(
            "gateway.yaml",
            &config.replace(&format!("secret: \"{SECRET}\""), broken_config),
        );
        gateway.event("configuration not reloaded");
        gateway.replace("gateway.yaml", &config);
        gateway.event("configuration repaired");
        gateway.replace(
            "users.yaml",
            &gateway.read("users.yaml").replace("roles", "rols"),
        );
        gateway.event("configuration not reloaded");
        gateway.signal("TERM");
        gateway.ended();
        let printed = gateway.printed();
        assert!(
            printed.contains("login_failed") && printed.contains("/open/a"),
            "{printed}"
        );
        for secret in secrets {
            assert!(!printed.contains(&secret), "`{secret}` in\n{printed}");
        }
    }
}

/// Bytes that would end a line, begin another one, or talk to a terminal.
#[test]
fn nothing_a_client_sends_can_forge_a_line() {
    let upstream = Upstream::saying("hello");
    for builder in [
        gateway(SERVICES).more("log: { level: trace }"),
        in_text(gateway(SERVICES)),
    ] {
        let mut gateway = builder.upstream(upstream.address).start();
        for name in [
            "x%0a%7B%22type%22%3A%22forged%22%7D",
            "x%0d%0atime=2026+type=forged+status=200",
            "%1b%5B31mred%1b%5B0m",
            "%22+client_ip=1.2.3.4+event=%22login",
            "%e2%80%ae%c2%9b31m",
            "a%5Cnb",
        ] {
            gateway.login(name, "wrong");
        }
        for target in [
            "/open/%0aforged",
            "/open/a\"b",
            "/open/a\x1b[31m",
            "/open/\u{202e}x",
            "/open/ü",
            "/open/a=b,c='d'",
            "/o\x7f",
        ] {
            Connection::open(gateway.address)
                .write(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .read();
        }
        for host in ["a\"b", "a b", "a\x1b[31m", "ü", "a\tb", "a:99999"] {
            Connection::open(gateway.address)
                .write(format!("GET /open/a HTTP/1.1\r\nHost: {host}\r\n\r\n"))
                .read();
        }
        for method in ["G\"T", "G=T", "FORGED"] {
            Connection::open(gateway.address)
                .write(format!("{method} /open/a HTTP/1.1\r\nHost: a\r\n\r\n"))
                .read();
        }
        gateway.signal("TERM");
        gateway.ended();
        let printed = gateway.printed();
        assert!(printed.contains("login_failed"), "{printed}");
        let is_text = printed.contains(" message=listening ");
        for line in printed.lines() {
            assert!(
                line.chars()
                    .all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c)),
                "{line:?}"
            );
            if is_text {
                assert!(line.starts_with("time=2"), "{line:?}");
            } else {
                let value: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
                assert_ne!(value["type"], "forged", "{line}");
            }
        }
        assert!(
            !printed.contains(" client_ip=1.2.3.4 ") || printed.contains("\\\" client_ip=1.2.3.4"),
            "{printed}"
        );
    }
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let upstream = Upstream::saying("hello");
    let mut gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .streams(Streams::StdoutBroken)
        .start();
    assert_eq!(gateway.get("/open/a", "").status, 200);
    gateway.event("cannot write the access log");
    assert!(gateway.metric("gatelatch_access_log_dropped_lines_total") >= 1.0);
    gateway.break_stderr();
    for _ in 0..4 {
        assert_eq!(gateway.login("rita", "wrong").status, 401);
    }
    gateway.bearer("rita");
    assert_eq!(gateway.get("/open/a", "").status, 200);
    gateway.signal("HUP");
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn closed_streams_are_no_obstacle() {
    let upstream = Upstream::saying("hello");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .streams(Streams::InAndOutClosed)
        .start();
    assert_eq!(gateway.get("/open/a", "").status, 200);
    let descriptor = |number| {
        std::fs::read_link(
            Path::new("/proc")
                .join(gateway.id().to_string())
                .join("fd")
                .join(number),
        )
    };
    for number in ["0", "1"] {
        assert_eq!(
            descriptor(number).unwrap(),
            Path::new("/dev/null"),
            "no socket takes the place of {number}"
        );
    }
    gateway.bearer("rita");
    assert_eq!(gateway.named_event("login")["user"], "rita");
}
