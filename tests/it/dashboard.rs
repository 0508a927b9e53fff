//! The dashboard in a real browser, while the gateway is busy.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{
    Connection, Gateway, PASSWORD, Received, Upstream, gateway, log_in_from, ok, output, program,
    python,
};

const TOKEN: &str = "an-admin-token-of-32-characters!";

const SERVICES: &str = "
  jobs:
    hosts: [\"jobs.example.com\", \"127.0.0.1\"]
    upstream: { servers: [\"http://UPSTREAM\", \"http://127.0.0.1:9\"], retries: 1 }
    rules:
      - { path: /open, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] }, name: write jobs }
      - { path: \"/users/{id}/**\", allow: [ { roles: [admin] }, { user: \"{id}\" } ] }
      - { path: /reports/**, allow: { roles: [recruiter], networks: [10.0.0.0/8] }, mode: report, name: reports from the office }
      - { path: /markup, allow: nobody, name: \"<b>markup</b>\" }
  files:
    path: /files
    upstream: http://UPSTREAM
    mode: report
    rules:
      - { path: /files/**, allow: { roles: [candidate] } }
";

fn set_up(upstream: &Upstream) -> Gateway {
    let builder = gateway(SERVICES)
        .upstream(upstream.address)
        .auth("login: { attempts: 2, lockout: 5m }");
    let builder = builder.server("trusted_proxies: [127.0.0.1]");
    let whole = builder.config().replace(
        "admin: { listen:",
        "admin: { token: \"${ADMIN_TOKEN}\", listen:",
    );
    builder.whole(&whole).variable("ADMIN_TOKEN", TOKEN).start()
}

/// Requests of all kinds, until it is said to be enough.
fn load(address: SocketAddr, [rita, carl]: [&str; 2], enough: &AtomicBool) {
    let requests = [
        ("GET /open", ""),
        ("GET /jobs", rita),
        ("GET /jobs", carl),
        ("POST /jobs", rita),
        ("POST /jobs", carl),
        ("GET /jobs", ""),
        ("GET /users/rita/photo", carl),
        ("GET /reports/2026", rita),
        ("GET /files/a", rita),
        ("GET /a//b", ""),
        ("GET /nothing%3Cscript%3E", ""),
    ];
    let mut connection = Connection::open(address);
    let mut round = 0;
    while !enough.load(Ordering::Relaxed) {
        for (index, (line, fields)) in requests.iter().enumerate() {
            let times = if index < 3 { 6 } else { 1 };
            for _ in 0..times {
                let host = if line.contains("/files") {
                    "files"
                } else {
                    "jobs"
                };
                let request = format!(
                    "{line} HTTP/1.1\r\nHost: {host}.example.com\r\nX-Forwarded-For: 192.0.2.{}\r\n{fields}Content-Length: 0\r\n\r\n",
                    index + 1
                );
                let answered = connection.write(request).try_read();
                if answered.is_none_or(|answer| answer.header("connection") == "close") {
                    connection = Connection::open(address);
                }
            }
        }
        if round % 50 == 0 {
            for (user, password) in [
                ("rita", "wrong"),
                ("mallory <i>", "guess"),
                ("carl", PASSWORD),
            ] {
                log_in_from(
                    &mut Connection::open(address),
                    "198.51.100.7",
                    &user.replace(' ', "+"),
                    password,
                );
            }
        }
        round += 1;
        // enough for its figures to move, and the browser has the processors
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}

fn browse(gateway: &Gateway) -> Option<Value> {
    let (python, chromium) = (python()?, program("chromium")?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/dashboard.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(format!("http://{}", gateway.admin))
        .arg(chromium)
        .arg(TOKEN);
    command
        .arg(gateway.path("gateway.yaml"))
        .arg(gateway.id().to_string());
    command.args(std::env::var_os("GATELATCH_TEST_PICTURES"));
    Some(serde_json::from_str(&output(&mut command)).unwrap())
}

#[test]
fn operators_see_what_the_gateway_does() {
    let upstream = Upstream::new(|request: &Received| match request.line() {
        line if line.starts_with("GET /open") => ok("hi"),
        _ => ok("secret things"),
    });
    let gateway = set_up(&upstream);
    let (address, rita, carl) = (
        gateway.address,
        gateway.bearer("rita"),
        gateway.bearer("carl"),
    );
    let enough = AtomicBool::new(false);
    let found = std::thread::scope(|scope| {
        scope.spawn(|| load(address, [&rita, &carl], &enough));
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| browse(&gateway)));
        enough.store(true, Ordering::Relaxed);
        found
    });
    let Some(found) = found.unwrap() else { return };
    assert_eq!(
        found["wrong_token"],
        "this is not the `admin.token` of the configuration"
    );
    for visit in found["visits"].as_array().unwrap() {
        for plot in ["requests", "refused", "latency", "logins"] {
            assert!(
                visit["points"][plot].as_u64().unwrap() >= 2,
                "{plot}: {visit}"
            );
        }
        assert_eq!(
            (&visit["complaints"], &visit["overflow"], &visit["sideways"]),
            (&json!([]), &json!(false), &json!([])),
            "{visit}"
        );
        assert!(
            visit["contrast"]
                .as_array()
                .unwrap()
                .iter()
                .all(|ratio| ratio.as_f64().unwrap() >= 4.5),
            "{visit}"
        );
        assert_eq!(
            visit["unnamed"],
            json!([]),
            "every control has a name: {visit}"
        );
        assert!(
            visit["state"].as_str().unwrap().contains("ready")
                || visit["state"] == "1 server is out"
                // a server that rests is tried again meanwhile
                || visit["state"] == "1 server is failing",
            "{visit}"
        );
        let text = |of: &str| visit["text"][of].as_str().unwrap().to_owned();
        assert!(
            text("services").contains("127.0.0.1:9: ") && text("services").contains("report mode"),
            "{visit}"
        );
        assert!(
            text("rules").contains("write jobs") && text("rules").contains("gateway.yaml:"),
            "{visit}"
        );
        assert!(
            text("rules").contains("<b>markup</b>"),
            "what looks like markup is text: {visit}"
        );
        assert!(
            text("denials").contains("role missing") && text("denials").contains("would be denied"),
            "{visit}"
        );
        assert!(
            text("logins").contains("mallory <i>") && text("logins").contains("login failed"),
            "{visit}"
        );
        assert!(
            ["signed in", "user = {id}", "candidate"]
                .iter()
                .all(|said| text("routes").contains(said)),
            "{visit}"
        );
        assert_eq!(
            visit["configuration"]
                .as_str()
                .unwrap()
                .matches(char::is_whitespace)
                .count(),
            0,
            "a digest: {visit}"
        );
    }
    assert_eq!(found["visits"].as_array().unwrap().len(), 4);
    for (screen, tabs) in found["tabs"].as_object().unwrap() {
        for (section, place) in tabs.as_object().unwrap() {
            let top = place["top"].as_i64().unwrap();
            assert!((0..60).contains(&top), "{screen} {section}: {place}");
            assert_eq!(place["lines"], json!([section]), "{screen}: {place}");
        }
    }
    let story = &found["story"];
    let (place, href) = (&story["pill"][0], &story["pill"][1]);
    assert!((0..60).contains(&place["top"].as_i64().unwrap()), "{story}");
    assert_eq!(href, "#configuration", "{story}");
    assert!(!story["refused"].as_str().unwrap().contains('`'), "{story}");
    assert_eq!(story["found"], json!(["write jobs"]), "{story}");
    let rows = json!([[2, 2, 2], [3, 3], [3, 3], [3, 3], [6]]);
    assert_eq!(story["tiles"], rows, "no tile stands alone");
    assert!(
        story["reported"]
            .as_array()
            .unwrap()
            .iter()
            .all(|count| count != "0"),
        "{story}"
    );
    assert!(
        story["hover"].as_str().unwrap().starts_with("at "),
        "{story}"
    );
    assert!(
        story["lifted"].as_str().unwrap().starts_with("Lifted: "),
        "{story}"
    );
    assert!(
        story["refused"].as_str().unwrap().contains("unknown-key"),
        "{story}"
    );
    assert!(
        story["asked_while_hidden"].as_u64().unwrap() <= 1,
        "{story}"
    );
    assert!(
        story["gone"]
            .as_str()
            .unwrap()
            .starts_with("The gateway cannot be reached."),
        "{story}"
    );
    assert_eq!(
        (&story["complaints"], &story["kept"]),
        (&json!([]), &json!([0, 0, 0])),
        "nothing is stored: {story}"
    );
}
