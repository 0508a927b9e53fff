//! The audit stream: every kind of record, and that none is ever lost.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::{
    Connection, FrameConnection, Gateway, GatewayBuilder, PASSWORD, Tokens, Upstream, gateway,
    hash, log_out, python, refresh, send, tokens, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open/**, allow: anyone }
      - { path: /jobs, allow: { roles: [recruiter] }, name: jobs }
      - { path: /trial, allow: { roles: [admin] }, mode: report, name: trial }
";

const SINK: &str = "log: { audit: audit.log }";

fn audited(services: &str) -> GatewayBuilder {
    gateway(services).more(SINK)
}

/// All records of the file so far.
fn records(gateway: &Gateway) -> Vec<Value> {
    parsed(&gateway.path("audit.log"))
}

fn parsed(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Waits for a record of this kind.
fn record(gateway: &Gateway, event: &str, matches: impl Fn(&Value) -> bool) -> Value {
    let find = || {
        records(gateway)
            .into_iter()
            .find(|record| record["event"] == event && matches(record))
    };
    until(event, || find().is_some());
    find().unwrap()
}

fn any(_: &Value) -> bool {
    true
}

/// Numbers from 1 on, without a gap.
fn assert_complete(records: &[Value]) {
    let numbers: Vec<u64> = records
        .iter()
        .map(|record| record["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
}

/// Held against `config/audit.schema.json` by a validator that is not ours.
fn assert_valid(records: &[Value]) {
    let Some(python) = python() else { return };
    let script = "
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open('config/audit.schema.json'))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for record in json.load(sys.stdin):
    for error in validator.iter_errors(record):
        sys.exit(f'{record}: {error.message[:500]}')
";
    let mut command = Command::new(python);
    command
        .args(["-c", script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process
        .stdin
        .take()
        .unwrap()
        .write_all(Value::from(records.to_vec()).to_string().as_bytes())
        .unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn requests_that_matter_are_recorded() {
    let upstream = Upstream::saying("hello");
    let mut gateway = audited(SERVICES).upstream(upstream.address).start();
    assert_eq!(gateway.get("/open/a", "").status, 200);
    let carl = tokens(&gateway, "carl");
    let bearer = format!("Authorization: Bearer {}\r\n", carl.access);
    assert_eq!(gateway.get("/jobs?secret=hidden", "").status, 401);
    assert_eq!(gateway.get("/jobs", &bearer).status, 403);
    assert_eq!(gateway.get("/nowhere", &bearer).status, 403);
    assert_eq!(gateway.get("/trial", &bearer).status, 200);
    let second = Tokens::of(&refresh(&gateway, &carl.refresh));
    assert_eq!(refresh(&gateway, &second.refresh).status, 200);
    assert_eq!(refresh(&gateway, &carl.refresh).status, 401);
    let again = tokens(&gateway, "carl");
    assert_eq!(log_out(&gateway, &again).status, 204);
    for _ in 0..5 {
        assert_eq!(gateway.login("rita", "wrong").status, 401);
    }
    assert_eq!(gateway.login("rita", PASSWORD).status, 429);
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    let all = records(&gateway);
    assert_complete(&all);
    assert_valid(&all);
    let told = |record: &Value| {
        let text = |key: &str| record[key].as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {} {}",
            text("event"),
            text("outcome"),
            text("user"),
            text("reason")
        )
    };
    let mut expected = vec![
        "start success - -",
        "login success carl -",
        "denied failure - Not authenticated",
        "denied failure carl role missing",
        "denied failure carl no rule",
        "denied reported carl would be 403: role missing",
        "refresh success carl -",
        "refresh success carl -",
        "refresh failure carl reused",
        "login success carl -",
        "logout success carl -",
    ];
    expected.extend(["login failure rita invalid"; 5]);
    expected.extend([
        "lockout success rita -",
        "login failure rita locked_out",
        "stop success - -",
    ]);
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), expected);
    let denied = &all[3];
    for (key, value) in [
        ("service", "app"),
        ("rule", "jobs"),
        ("method", "GET"),
        ("path", "/jobs"),
        ("client_ip", "127.0.0.1"),
    ] {
        assert_eq!(denied[key], value);
    }
    assert_eq!(
        (&denied["status"], &all[16]["scope"]),
        (&403.into(), &"account_and_network".into())
    );
    let text = gateway.read("audit.log");
    for secret in [
        PASSWORD,
        "wrong",
        "hidden",
        &carl.access,
        &carl.refresh,
        &again.access,
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    let mode = fs::metadata(gateway.path("audit.log"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_operator_who_lifts_a_lockout_is_recorded() {
    let builder = audited(SERVICES).auth("login: { attempts: 2, lockout: 5m }");
    let token = "an-admin-token-of-32-characters!";
    let whole = builder.config().replace(
        "admin: { listen:",
        "admin: { token: \"${ADMIN_TOKEN}\", listen:",
    );
    let gateway = builder.whole(&whole).variable("ADMIN_TOKEN", token).start();
    let lift = |id: &str| {
        let body = format!("{{\"id\":\"{id}\"}}");
        let fields = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let fields = format!(
            "{fields}Host: {}\r\nContent-Length: {}\r\n",
            gateway.admin,
            body.len()
        );
        send(
            gateway.admin,
            format!("POST /api/lockouts/lift HTTP/1.1\r\n{fields}\r\n{body}"),
        )
        .status
    };
    for _ in 0..2 {
        assert_eq!(gateway.login("rita", "wrong").status, 401);
    }
    let listed = send(
        gateway.admin,
        format!(
            "GET /api/lockouts HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            gateway.admin
        ),
    );
    let id = listed.json()["lockouts"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        (lift("nobody"), lift(&id), lift("network:192.0.2.1")),
        (404, 200, 200)
    );
    let network = record(&gateway, "lockout_lifted", |record| {
        record["scope"] == "network"
    });
    let rita = record(&gateway, "lockout_lifted", |record| {
        record["scope"] == "account_and_network"
    });
    for (key, value) in [
        ("outcome", "success"),
        ("user", "rita"),
        ("network", "127.0.0.1"),
        ("client_ip", "127.0.0.1"),
        ("lockout", &id),
    ] {
        assert_eq!(rita[key], value);
    }
    assert_eq!(
        (&network["network"], &network["user"]),
        (&"192.0.2.1".into(), &Value::Null)
    );
    let all = records(&gateway);
    assert_complete(&all);
    assert_valid(&all);
    assert_eq!(
        all.iter()
            .filter(|record| record["event"] == "lockout_lifted")
            .count(),
        2
    );
    assert!(!gateway.read("audit.log").contains(token));
}

#[test]
fn sessions_that_an_operator_ends_and_wrong_secrets_of_programs_are_recorded() {
    let token = "an-admin-token-of-32-characters!";
    let clients = "clients: [{ id: api, secret_file: secret }]";
    let builder = audited(SERVICES).auth(clients).prepare(|folder| {
        fs::write(
            folder.join("secret"),
            "0123456789abcdef-of-programs-0123456789",
        )
        .unwrap();
    });
    let whole = builder.config().replace(
        "admin: { listen:",
        "admin: { token: \"${ADMIN_TOKEN}\", listen:",
    );
    let gateway = builder.whole(&whole).variable("ADMIN_TOKEN", token).start();
    tokens(&gateway, "carl");
    let end = |body: &str| {
        let fields = format!(
            "Host: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            gateway.admin,
            body.len()
        );
        send(
            gateway.admin,
            format!("POST /api/sessions/end HTTP/1.1\r\n{fields}\r\n{body}"),
        )
        .status
    };
    assert_eq!(end("{\"user\":\"carl\"}"), 200);
    let body = "client_id=api&client_secret=wrong&token=x";
    let asked = send(
        gateway.address,
        format!(
            "POST /auth/introspect HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert_eq!(asked.status, 401, "{asked:?}");
    let ended = record(&gateway, "sessions_ended", any);
    assert_eq!(
        (&ended["user"], &ended["ended"]),
        (&"carl".into(), &1.into())
    );
    let failed = record(&gateway, "login", |record| record["outcome"] == "failure");
    assert_eq!(
        (&failed["user"], &failed["reason"]),
        (&"api".into(), &"invalid_client".into())
    );
    assert_valid(&records(&gateway));
}

#[test]
fn what_a_reload_changes_is_recorded() {
    let (salted, other) = (hash(), hash());
    let users = |lines: &str| format!("users:\n{lines}");
    let before = users(&format!(
        "  anna: {{ password: \"{salted}\", roles: [a] }}
  ben: {{ password: \"{salted}\", roles: [a] }}
  carl: {{ password: \"{salted}\", disabled: true }}
  dora: {{ roles: [a], api_keys: [ {{ name: old, hash: \"sha256:{}\" }} ] }}
",
        "1".repeat(64)
    ));
    let after = users(&format!(
        "  anna: {{ password: \"{other}\", roles: [a, b], tokens_valid_after: 2026-01-01T00:00:00Z }}
  carl: {{ password: \"{salted}\" }}
  dora: {{ roles: [a], disabled: true, api_keys: [ {{ name: new, hash: \"sha256:{}\" }} ] }}
  emil: {{ roles: [b] }}
",
        "2".repeat(64)
    ));
    let builder = audited(SERVICES).users(&before);
    let config = builder.config();
    let gateway = builder.start();
    gateway.replace("users.yaml", &after);
    record(&gateway, "user_added", any);
    gateway.replace(
        "gateway.yaml",
        &config
            .replace("roles: [recruiter]", "roles: [a, b]")
            .replace("/open/**", "/free"),
    );
    let rules = record(&gateway, "rules_changed", any);
    gateway.replace(
        "gateway.yaml",
        "services: { app: { upstream: \"http://127.0.0.1:9\", rulez: [] } }",
    );
    let refused = record(&gateway, "config_reload", |record| {
        record["outcome"] == "failure"
    });
    let all = records(&gateway);
    assert_complete(&all);
    assert_valid(&all);
    let of = |event: &str| {
        all.iter()
            .filter(move |record| record["event"] == event)
            .cloned()
            .collect::<Vec<_>>()
    };
    let users = of("user_changed");
    let changes: Vec<(String, String)> = users
        .iter()
        .map(|record| (record["user"].to_string(), record["changes"].to_string()))
        .collect();
    let expected = [
        (
            "\"anna\"",
            "[\"password\",\"roles\",\"tokens_valid_after\"]",
        ),
        ("\"carl\"", "[\"enabled\"]"),
        ("\"dora\"", "[\"disabled\"]"),
    ];
    assert_eq!(
        changes,
        expected.map(|(name, changes)| (name.to_owned(), changes.to_owned()))
    );
    assert_eq!(
        (&users[0]["roles_before"], &users[0]["roles"]),
        (&vec!["a"].into(), &vec!["a", "b"].into())
    );
    assert_eq!(
        (&of("user_removed")[0]["user"], &of("user_added")[0]["user"]),
        (&"ben".into(), &"emil".into())
    );
    assert_eq!(
        (
            &of("api_key_removed")[0]["key"],
            &of("api_key_added")[0]["key"]
        ),
        (&"old".into(), &"new".into())
    );
    assert_eq!(
        (&rules["added"], &rules["removed"], &rules["changed"]),
        (&1.into(), &1.into(), &1.into())
    );
    let jobs = rules["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["rule"] == "jobs")
        .unwrap();
    assert_eq!(
        (&jobs["change"], &jobs["before"]["path"]),
        (&"changed".into(), &"/jobs".into())
    );
    assert_ne!(jobs["before"]["allow"], jobs["after"]["allow"]);
    assert!(
        refused["problems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("rulez"),
        "{refused}"
    );
    assert_eq!(of("config_reload").len(), 3);
    assert!(!gateway.read("audit.log").contains("$2"), "no hash");
}

#[test]
fn a_file_that_was_renamed_is_left_behind_and_a_signal_opens_the_new_one() {
    let mut gateway = audited(SERVICES).start();
    assert_eq!(gateway.get("/jobs", "").status, 401);
    record(&gateway, "denied", any);
    fs::rename(gateway.path("audit.log"), gateway.path("audit.log.1")).unwrap();
    assert_eq!(gateway.get("/jobs", "").status, 401);
    until("the name is taken again", || {
        gateway.path("audit.log").exists()
    });
    record(&gateway, "denied", any);
    fs::rename(gateway.path("audit.log"), gateway.path("audit.log.2")).unwrap();
    gateway.signal("HUP");
    until("the signal opens a new file", || {
        gateway.path("audit.log").exists()
    });
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    let files = ["audit.log.1", "audit.log.2", "audit.log"];
    let all: Vec<Value> = files
        .iter()
        .flat_map(|name| parsed(&gateway.path(name)))
        .collect();
    assert_complete(&all);
    assert_eq!(
        all.iter()
            .map(|record| &record["event"])
            .collect::<Vec<_>>(),
        ["start", "denied", "denied", "stop"]
    );
}

#[test]
fn what_was_answered_a_moment_ago_survives_a_kill() {
    let mut gateway = audited(SERVICES).start();
    for _ in 0..50 {
        assert_eq!(gateway.get("/jobs", "").status, 401);
    }
    until("all is written", || {
        gateway.metric("gatelatch_audit_queued_records") < 1.0
    });
    gateway.signal("KILL");
    let _ = gateway.ended();
    let all = records(&gateway);
    assert_complete(&all);
    assert_eq!(all.len(), 51);
}

/// A named pipe whose reader reads when it is told to.
fn pipe(folder: &Path) {
    assert!(
        Command::new("mkfifo")
            .arg(folder.join("audit.log"))
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_reader_that_does_not_read_holds_requests_back_and_loses_nothing() {
    const DENIALS: usize = 12_000;
    let gateway = audited(SERVICES).prepare(pipe).start();
    let reader = fs::File::open(gateway.path("audit.log")).unwrap();
    let memory = gateway.memory();
    let address = gateway.address;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Connection::open(address);
                let burst = "GET /jobs HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50);
                for _ in 0..DENIALS / 4 / 50 {
                    client.write(&burst);
                    (0..50).for_each(|_| assert_eq!(client.read().status, 401));
                }
            })
        })
        .collect();
    until("the queue is full", || {
        gateway.metric("gatelatch_audit_queued_records") >= 8190.0
    });
    // whoever comes now waits, and is not answered without a record
    assert!(gateway.metric("gatelatch_audit_queued_records") <= 8192.0 + 10.0);
    assert!(
        gateway.memory() < memory + (64 << 20),
        "{} from {memory}",
        gateway.memory()
    );
    let lines = BufReader::new(reader).lines().take(1 + DENIALS);
    let all: Vec<Value> = lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    assert_complete(&all);
}

#[test]
fn a_full_disk_is_told_and_lasts_until_there_is_room() {
    let full =
        |folder: &Path| std::os::unix::fs::symlink("/dev/full", folder.join("audit.log")).unwrap();
    let gateway = audited(SERVICES).prepare(full).start();
    until("the event", || {
        gateway.printed().contains("audit_write_failed")
    });
    assert_eq!(
        gateway.get("/jobs", "").status,
        401,
        "there is room for a while"
    );
    until("it is not ready", || gateway.probe("/readyz").status == 503);
    assert!(gateway.metric("gatelatch_audit_write_errors_total") >= 1.0);
    fs::remove_file(gateway.path("audit.log")).unwrap();
    fs::write(gateway.path("audit.log"), "").unwrap();
    record(&gateway, "denied", any);
    until("it is ready again", || {
        gateway.probe("/readyz").status == 200
    });
    assert_complete(&records(&gateway));
}

#[test]
fn without_a_place_for_records_it_does_not_start() {
    let (code, printed) = gateway(SERVICES)
        .more("log: { audit: missing/audit.log }")
        .fail();
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("cannot write `log.audit: ") && printed.contains("missing/audit.log"),
        "{printed}"
    );
}

#[test]
fn standard_output_takes_records_between_its_other_lines() {
    let gateway = gateway(SERVICES).more("log: { audit: stdout }").start();
    assert_eq!(gateway.get("/jobs", "").status, 401);
    until("both lines", || {
        let printed = gateway.printed();
        printed.contains(r#""type":"audit","sequence":2,"event":"denied""#)
            && printed.contains(r#""type":"access""#)
    });
}

#[test]
fn where_it_is_off_nothing_is_recorded() {
    let gateway = gateway(SERVICES).more("log: { audit: off }").start();
    assert_eq!(gateway.get("/jobs", "").status, 401);
    assert!(gateway.metric("gatelatch_audit_records_total") < 1.0 && !gateway.path("off").exists());
}

/// More than the places in the queue.
const MANY: u32 = 8300;

#[test]
fn requests_under_way_keep_no_place() {
    // the kernel takes their connections, and nobody answers
    let sockets: Vec<Socket> = (0..3).map(|_| silent()).collect();
    let address = |server: &Socket| server.local_addr().unwrap().as_socket().unwrap();
    let servers: Vec<String> = sockets
        .iter()
        .map(|server| format!("\"http://{}\"", address(server)))
        .collect();
    let services = format!(
        "
  app: {{ upstream: {{ servers: [{}] }}, rules: [ {{ path: /**, allow: anyone }} ] }}
",
        servers.join(", ")
    );
    let gateway = audited(&services)
        .workers(1)
        .server("limits: { streams: 10000 }")
        .start();
    let mut client = FrameConnection::open(gateway.address);
    for request in 0..MANY {
        client.get(2 * request + 1, "/");
    }
    let under_way = "gatelatch_upstream_connections{state=\"active\"}";
    until("all are with a server", || {
        gateway.metric(under_way) == f64::from(MANY)
    });
}

fn silent() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(4096).unwrap();
    socket
}
