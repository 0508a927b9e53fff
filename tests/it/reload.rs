//! Files change under a running gateway.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use crate::support::{Connection, Gateway, Upstream, gateway, ok};

pub(super) const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone, name: first }
      - { path: /jobs, allow: { roles: [recruiter] } }
";

pub(super) const GET_OPEN: &str = "GET /open HTTP/1.1\r\nHost: a\r\n\r\n";

/// Another rule for `/open`.
pub(super) fn close(config: &str) -> String {
    let closed = config.replace("allow: anyone, name: first", "allow: nobody, name: second");
    assert_ne!(closed, config);
    closed
}

pub(super) fn open_status(gateway: &Gateway) -> u16 {
    gateway.get("/open", "").status
}

pub(super) fn reloads(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric(&format!("gatelatch_reloads_total{{outcome=\"{outcome}\"}}"))
}

#[test]
fn a_changed_rule_applies_to_the_next_request_of_a_kept_connection() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut connection = Connection::open(gateway.address);
    assert_eq!(connection.write(GET_OPEN).read().status, 200);
    gateway.replace("gateway.yaml", &close(&gateway.read("gateway.yaml")));
    gateway.event("configuration reloaded");
    assert_eq!(connection.write(GET_OPEN).read().status, 403);
    assert_eq!(gateway.line("/open")["rule"], "first");
    assert_eq!(gateway.line("/open")["rule"], "second");
}

#[test]
fn the_user_list_applies_at_once_to_tokens_that_exist() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let rita = gateway.bearer("rita");
    let users = gateway.read("users.yaml");
    let mut connection = Connection::open(gateway.address);
    let mut status = || {
        connection
            .write(format!("GET /jobs HTTP/1.1\r\nHost: a\r\n{rita}\r\n"))
            .read()
            .status
    };
    assert_eq!(status(), 200);
    let without_rita: String = users
        .lines()
        .filter(|line| !line.contains("rita:"))
        .map(|line| format!("{line}\n"))
        .collect();
    for (text, expected) in [
        (users.replace("[recruiter], name", "[], name"), 403),
        (users.clone(), 200),
        (users.replace("name: Rita Recruiter", "disabled: true"), 401),
        (users.clone(), 200),
        (
            users.replace(
                "name: Rita Recruiter",
                "tokens_valid_after: 2999-01-01T00:00:00Z",
            ),
            401,
        ),
        (
            users.replace(
                "name: Rita Recruiter",
                "tokens_valid_after: 2020-01-01T00:00:00Z",
            ),
            200,
        ),
        (without_rita, 401),
    ] {
        gateway.replace("users.yaml", &text);
        gateway.event("configuration reloaded");
        assert_eq!(status(), expected, "{text}");
    }
}

/// The events of a refused reload go to a log, where secrets stay longer than on a screen.
#[test]
fn a_refused_reload_logs_no_secret_that_stands_in_the_wrong_place() {
    const WRONG: &str = "6f1d2a0c9be84573a1c04d9e7f3b2a58";
    let gateway = gateway(SERVICES).start();
    let config = gateway.read("gateway.yaml");
    let secret = format!("secret: \"{}\"", crate::support::SECRET);
    assert!(config.contains(&secret), "{config}");
    for wrong in [
        format!("secret_file: {WRONG}"),
        format!("{secret}, previous: [ {WRONG} ]"),
        format!("{secret}, previous: {WRONG}"),
    ] {
        gateway.replace("gateway.yaml", &config.replace(&secret, &wrong));
        gateway.event("configuration not reloaded");
        let printed = gateway.printed();
        assert!(!printed.contains(WRONG), "{wrong}: {printed}");
    }
}

#[test]
fn a_bad_file_is_never_applied_and_its_repair_is() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (config, users) = (gateway.read("gateway.yaml"), gateway.read("users.yaml"));
    let successful = || gateway.metric("gatelatch_config_last_reload_successful");
    assert_eq!(successful(), 1.0);
    let bad_config = close(&config).replace("roles: [recruiter]", "role: [recruiter]");
    let bad_users = users.replace("roles: [candidate]", "rolls: [candidate]");
    for (file, bad, good, line) in [
        ("gateway.yaml", bad_config, config.clone(), 11),
        ("users.yaml", bad_users, users.clone(), 3),
    ] {
        gateway.replace(file, &bad);
        let problem = gateway.event("unknown key");
        assert_eq!(
            (&problem["level"], &problem["code"]),
            (&"ERROR".into(), &"unknown-key".into()),
            "{problem}"
        );
        assert!(
            problem["message"]
                .as_str()
                .unwrap()
                .contains(&format!("{file}:{line}:")),
            "{problem}"
        );
        gateway.event("configuration not reloaded");
        assert_eq!(successful(), 0.0);
        assert_eq!(open_status(&gateway), 200, "the former rules");
        gateway.bearer("carl");
        gateway.replace(file, &good);
        gateway.event("configuration repaired");
        assert_eq!(successful(), 1.0);
    }
    assert_eq!(
        (reloads(&gateway, "refused"), reloads(&gateway, "unchanged")),
        (2.0, 2.0)
    );
    gateway.replace("gateway.yaml", "{");
    gateway.event("configuration not reloaded");
    gateway.replace("gateway.yaml", &close(&config));
    gateway.event("configuration reloaded");
    assert_eq!((successful(), open_status(&gateway)), (1.0, 403));
}

#[test]
fn sighup_reads_again() {
    let gateway = gateway(SERVICES).start();
    gateway.signal("HUP");
    gateway.event("configuration unchanged");
    assert_eq!(reloads(&gateway, "unchanged"), 1.0);
    assert!(gateway.metric("gatelatch_config_last_reload_success_timestamp_seconds") > 1.7e9);
}

#[test]
fn a_request_in_flight_ends_with_the_rules_it_began_with() {
    let (arrived, arrivals) = channel();
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::new(move |_| {
        arrived.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        ok("late")
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let mut connection = Connection::open(gateway.address);
    connection.write(GET_OPEN);
    arrivals.recv().unwrap();
    gateway.replace("gateway.yaml", &close(&gateway.read("gateway.yaml")));
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 403);
    release.send(()).unwrap();
    let answer = connection.read();
    assert_eq!((answer.status, answer.body.as_str()), (200, "late"));
    // two workers, two buffers: their lines come in either order
    let lines = [gateway.line("/open"), gateway.line("/open")];
    let line = lines.iter().find(|line| line["rule"] == "first").unwrap();
    assert_eq!(
        (&line["decision"], &line["status"]),
        (&"allowed".into(), &200.into()),
        "{line}"
    );
    assert_eq!(connection.write(GET_OPEN).read().status, 403);
}

#[test]
fn reloads_under_load_lose_no_request() {
    const CLIENTS: usize = 4;
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let config = gateway.read("gateway.yaml");
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address);
                while !stop.load(Ordering::Relaxed) {
                    let answer = connection.write(GET_OPEN).read();
                    assert_eq!((answer.status, answer.body.as_str()), (200, "hi"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..8 {
            gateway.replace(
                "gateway.yaml",
                &config.replace("name: first", &format!("name: round-{round}")),
            );
            gateway.signal("HUP");
            gateway.event("configuration reloaded");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let metrics = gateway.probe("/metrics").body;
    let counted: usize = metrics
        .lines()
        .filter(|line| line.starts_with("gatelatch_requests_total{service=\"app\""))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(counted, answered.load(Ordering::Relaxed), "{metrics}");
    assert_eq!(reloads(&gateway, "applied"), 8.0);
}

#[test]
fn another_upstream_takes_over_and_the_former_is_let_go() {
    let former = TcpListener::bind("127.0.0.1:0").unwrap();
    let next = Upstream::saying("next");
    let gateway = gateway(SERVICES)
        .upstream(former.local_addr().unwrap())
        .start();
    let mut connection = Connection::open(gateway.address);
    connection.write(GET_OPEN);
    let (stream, _) = former.accept().unwrap();
    let mut stream = BufReader::new(stream);
    stream
        .get_mut()
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    stream.get_mut().write_all(&ok("former")).unwrap();
    assert_eq!(connection.read().body, "former");
    let config = gateway.read("gateway.yaml");
    let moved = config.replace(
        &former.local_addr().unwrap().to_string(),
        &next.address.to_string(),
    );
    gateway.replace("gateway.yaml", &moved);
    gateway.event("configuration reloaded");
    // without any further request: a worker that has nothing to do lets go as well
    assert_eq!(
        stream.read(&mut [0]).unwrap(),
        0,
        "the kept connection is closed"
    );
    assert_eq!(connection.write(GET_OPEN).read().body, "next");
}

#[test]
fn limits_and_timeouts_apply_to_new_connections() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("limits: { headers: 100 }")
        .start();
    let many = format!(
        "GET /open HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-A: 1\r\n".repeat(50)
    );
    let mut old = Connection::open(gateway.address);
    assert_eq!(old.write(&many).read().status, 200);
    let narrow = "limits: { headers: 20 }, timeouts: { idle: 100ms }";
    gateway.replace(
        "gateway.yaml",
        &gateway
            .read("gateway.yaml")
            .replace("limits: { headers: 100 }", narrow),
    );
    gateway.event("configuration reloaded");
    assert_eq!(
        Connection::open(gateway.address).write(&many).read().status,
        431
    );
    let mut idle = Connection::open(gateway.address);
    assert_eq!(idle.write(GET_OPEN).read().status, 200);
    assert_eq!(idle.read_to_end(), "");
    assert_eq!(
        old.write(&many).read().status,
        200,
        "a connection keeps what it was opened with"
    );
}

#[test]
fn what_only_a_restart_changes_is_said() {
    let gateway = gateway(SERVICES).start();
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("127.0.0.1:0\"], workers: 2", "127.0.0.1:1\"], workers: 2"),
    );
    let warning = gateway.event("take effect at the next start");
    assert_eq!(warning["level"], "WARN");
    assert_eq!(
        warning["message"], "these changes take effect at the next start: `server.listen`",
        "and nothing that is as it was"
    );
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 502, "it listens where it did");
}

#[test]
fn tokens_survive_a_reload_where_no_secret_is_configured() {
    let config = format!(
        "server: {{ listen: [\"127.0.0.1:0\"] }}\nadmin: \"127.0.0.1:0\"\nservices:{SERVICES}"
    );
    let config = config.replace(
        "admin: \"127.0.0.1:0\"",
        "admin: { listen: \"127.0.0.1:0\" }",
    );
    let upstream = Upstream::saying("hi");
    let gateway = gateway("")
        .upstream(upstream.address)
        .whole(&config)
        .start();
    let rita = gateway.bearer("rita");
    assert_eq!(gateway.get("/jobs", &rita).status, 200);
    gateway.replace("gateway.yaml", &close(&gateway.read("gateway.yaml")));
    gateway.event("configuration reloaded");
    assert_eq!(open_status(&gateway), 403);
    assert_eq!(gateway.get("/jobs", &rita).status, 200);
}

#[test]
fn a_changed_secret_ends_the_tokens_of_the_former_one() {
    const SECRETS: [&str; 2] = [
        "first-secret-of-more-than-32-bytes-0123456789",
        "other-secret-of-more-than-32-bytes-9876543210",
    ];
    for (entry, file, spelling) in [
        ("secret: \"${TEST_SECRET}\"", ".env", "TEST_SECRET="),
        ("secret_file: secret.txt", "secret.txt", ""),
        (
            "secret: \"${TEST_SECRET:-a-default-secret-of-more-than-32-bytes-24680}\"",
            ".env",
            "TEST_SECRET=",
        ),
    ] {
        let upstream = Upstream::saying("hi");
        let builder = gateway(SERVICES).upstream(upstream.address);
        let config = builder.config();
        let config = config.replace(&format!("secret: \"{}\"", crate::support::SECRET), entry);
        let starts_with_it = !entry.contains(":-");
        let first = format!("{spelling}{}\n", SECRETS[0]);
        let prepare = move |folder: &Path| {
            if starts_with_it {
                fs::write(folder.join(file), first).unwrap();
            }
        };
        let gateway = builder.whole(&config).prepare(prepare).start();
        let rita = gateway.bearer("rita");
        assert_eq!(gateway.get("/jobs", &rita).status, 200, "{entry}");
        gateway.replace(file, &format!("{spelling}{}\n", SECRETS[1]));
        gateway.event("configuration reloaded");
        let refused = gateway.get("/jobs", &rita);
        assert!(
            refused
                .header("www-authenticate")
                .contains("the token names an unknown key"),
            "{refused:?}"
        );
        assert_eq!(
            gateway.get("/jobs", &gateway.bearer("rita")).status,
            200,
            "{entry}"
        );
        assert!(
            !SECRETS
                .iter()
                .any(|secret| gateway.printed().contains(secret)),
            "{}",
            gateway.printed()
        );
    }
}

#[test]
fn the_environment_wins_over_the_file_beside_the_configuration() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES)
        .upstream(upstream.address)
        .variable("TEST_SECRET", crate::support::SECRET);
    let config = builder
        .config()
        .replace(crate::support::SECRET, "${TEST_SECRET}");
    let gateway = builder.whole(&config).start();
    let rita = gateway.bearer("rita");
    gateway.replace(
        ".env",
        "TEST_SECRET=another-secret-of-more-than-32-bytes-0123456789\n",
    );
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/jobs", &rita).status, 200);
}

/// Nothing of a run that reloads often may pile up.
#[test]
fn many_reloads_leave_no_open_files_behind() {
    let gateway = gateway(SERVICES).start();
    let descriptors = || {
        fs::read_dir(format!("/proc/{}/fd", gateway.id()))
            .unwrap()
            .count()
    };
    let config = gateway.read("gateway.yaml");
    let reload = |round: usize| {
        gateway.replace(
            "gateway.yaml",
            &config.replace("name: first", &format!("name: round-{round}")),
        );
        gateway.signal("HUP");
        gateway.event("configuration reloaded");
    };
    (0..3).for_each(reload);
    let before = descriptors();
    (3..23).for_each(reload);
    assert!(
        descriptors() <= before + 1,
        "{before} before, {} now",
        descriptors()
    );
}
