//! What operators and probes ask.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use crate::support::{Connection, Received, Upstream, gateway, get, ok, until};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /jobs, allow: { roles: [recruiter] }, name: the jobs }
  away:
    path: /away
    upstream: http://127.0.0.1:9
    rules:
      - { path: /away, allow: anyone }
";

/// `gatelatch healthcheck`: exit code and what it printed on both streams.
fn healthcheck(args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
    let output = command
        .arg("healthcheck")
        .args(args)
        .env_remove("GATELATCH_CONFIG")
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
    )
}

#[test]
fn everything_is_counted_across_workers() {
    const ROUNDS: usize = 16;
    let upstream = Upstream::new(|request: &Received| match request.line() {
        line if line.contains("?status=500") => {
            b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
        _ => ok("hi"),
    });
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    assert_eq!(gateway.login("rita", "wrong").status, 401);
    let malformed = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(crate::support::send(gateway.address, malformed).status, 415);
    // a connection each, so that both workers have some
    for _ in 0..ROUNDS {
        assert_eq!(gateway.get("/open", "").status, 200);
        assert_eq!(gateway.get("/open?status=500", "").status, 500);
        assert_eq!(gateway.get("/jobs", &rita).status, 200);
        assert_eq!(gateway.get("/jobs", &carl).status, 403);
        assert_eq!(gateway.get("/jobs", "").status, 401);
        assert_eq!(
            gateway
                .get("/jobs", "Authorization: Bearer a.b.c\r\n")
                .status,
            401
        );
        assert_eq!(gateway.get("/away", "").status, 502);
        assert_eq!(gateway.get("/a//b", "").status, 400);
        assert_eq!(gateway.get("/auth/nothing", "").status, 404);
    }
    gateway.signal("HUP");
    gateway.event("configuration unchanged");
    let rounds = ROUNDS as f64;
    for (series, expected) in [
        (
            r#"gatelatch_requests_total{service="app",rule="* /open",decision="allowed",status="2xx"}"#,
            rounds,
        ),
        (
            r#"gatelatch_requests_total{service="app",rule="* /open",decision="allowed",status="5xx"}"#,
            rounds,
        ),
        (
            r#"gatelatch_requests_total{service="app",rule="the jobs",decision="allowed",status="2xx"}"#,
            rounds,
        ),
        (
            r#"gatelatch_requests_total{service="app",rule="the jobs",decision="forbidden",status="4xx"}"#,
            rounds,
        ),
        (
            r#"gatelatch_requests_total{service="app",rule="the jobs",decision="unauthenticated",status="4xx"}"#,
            2.0 * rounds,
        ),
        (
            r#"gatelatch_requests_total{service="away",rule="* /away",decision="allowed",status="5xx"}"#,
            rounds,
        ),
        (
            r#"gatelatch_requests_total{service="",rule="",decision="bad_request",status="4xx"}"#,
            rounds,
        ),
        (
            r#"gatelatch_requests_total{service="gatelatch",rule="",decision="gateway",status="2xx"}"#,
            2.0,
        ),
        (
            r#"gatelatch_requests_total{service="gatelatch",rule="",decision="gateway",status="4xx"}"#,
            rounds + 2.0,
        ),
        (
            r#"gatelatch_request_duration_seconds_count{service="app"}"#,
            6.0 * rounds,
        ),
        (
            r#"gatelatch_request_duration_seconds_bucket{le="+Inf",service="app"}"#,
            6.0 * rounds,
        ),
        (
            r#"gatelatch_upstream_errors_total{service="away",kind="connect"}"#,
            rounds,
        ),
        (
            r#"gatelatch_token_refusals_total{reason="malformed"}"#,
            rounds,
        ),
        (r#"gatelatch_logins_total{outcome="success"}"#, 2.0),
        (r#"gatelatch_logins_total{outcome="invalid"}"#, 1.0),
        (r#"gatelatch_logins_total{outcome="malformed"}"#, 1.0),
        (r#"gatelatch_reloads_total{outcome="unchanged"}"#, 1.0),
        ("gatelatch_config_last_reload_successful", 1.0),
        ("gatelatch_access_log_dropped_lines_total", 0.0),
        (
            concat!(
                "gatelatch_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"}"
            ),
            1.0,
        ),
    ] {
        assert_eq!(
            gateway.metric(series),
            expected,
            "{series}\n{}",
            gateway.probe("/metrics").body
        );
    }
    assert!(gateway.metric(r#"gatelatch_request_duration_seconds_sum{service="app"}"#) > 0.0);
}

#[test]
fn connections_are_counted_while_they_are_open() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("limits: { connections: 3 }")
        .start();
    let mut open: Vec<_> = (0..3).map(|_| Connection::open(gateway.address)).collect();
    for connection in &mut open {
        connection
            .write("GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
            .read();
    }
    assert_eq!(gateway.metric("gatelatch_client_connections"), 3.0);
    let refused = Connection::open(gateway.address).read();
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(
        gateway.metric(r#"gatelatch_rejected_connections_total{reason="limit"}"#),
        1.0
    );
    for mut connection in open {
        let close = "GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        assert!(connection.write(close).read_to_end().ends_with("hi"));
    }
    // counted out a moment after the last byte; with room for one the next connection is served
    until("no connection", || {
        gateway.metric("gatelatch_client_connections") == 0.0
    });
    assert_eq!(gateway.get("/open", "").status, 200);
}

#[test]
fn probes_are_answered() {
    let gateway = gateway(SERVICES).start();
    let alive = get(gateway.admin, "/healthz", "");
    assert_eq!((alive.status, alive.body.as_str()), (200, "ok\n"));
    let ready = gateway.probe("/readyz");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    assert_eq!(get(gateway.admin, "/anything", "").status, 404);
    assert_eq!(
        gateway.get("/metrics", "").status,
        403,
        "clients see none of it"
    );
}

#[test]
fn the_admin_listener_can_be_off() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let config = builder.config().replace(
        "admin: { listen: \"127.0.0.1:0\" }",
        "admin: { listen: \"off\" }",
    );
    let gateway = builder.whole(&config).start();
    assert_eq!(gateway.admin.port(), 0, "there is none");
    assert_eq!(gateway.get("/open", "").status, 200);
    let path = gateway.path("gateway.yaml");
    let (code, said) = healthcheck(&["--config", path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("`admin.listen` is `off`"), "{said}");
}

#[test]
fn a_taken_port_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let running = gateway(SERVICES).start();
    let free = "127.0.0.1:0".to_owned();
    for (clients, admin, named) in [
        (&address, &free, &address),
        (&free, &address, &address),
        // another gateway shares its port between its own workers, and with nobody else
        (
            &running.address.to_string(),
            &free,
            &running.address.to_string(),
        ),
    ] {
        let builder = gateway(SERVICES);
        let config = builder.config().replace(
            "listen: [\"127.0.0.1:0\"]",
            &format!("listen: [\"{clients}\"]"),
        );
        let config = config.replace(
            "admin: { listen: \"127.0.0.1:0\" }",
            &format!("admin: {{ listen: \"{admin}\" }}"),
        );
        let (code, said) = builder.whole(&config).fail();
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&format!("error: cannot listen on `{named}`: ")),
            "{said}"
        );
        assert!(
            said.contains("another process has it: end that one, or choose another port"),
            "{said}"
        );
    }
}

#[test]
fn a_healthcheck_asks_the_running_gateway() {
    let mut gateway = gateway(SERVICES)
        .server("timeouts: { drain_delay: 1h }")
        .start();
    let address = gateway.admin.to_string();
    let config = gateway.read("gateway.yaml").replace(
        "admin: { listen: \"127.0.0.1:0\" }",
        &format!("admin: {{ listen: \"{address}\" }}"),
    );
    std::fs::write(gateway.path("probe.yaml"), config).unwrap();
    let path = gateway.path("probe.yaml");
    let by_config = ["--config", path.to_str().unwrap()];
    let by_address = ["--admin", address.as_str(), "--timeout", "10s"];
    for args in [&by_config[..], &by_address] {
        let (code, said) = healthcheck(args);
        assert_eq!((code, said.as_str()), (Some(0), "ready\n"), "{args:?}");
    }
    // of the configuration nothing else needs to be right: not its secrets, its users or its rules
    let broken = format!(
        "admin: {{ listen: \"{address}\", nonsense: 1 }}\n\
         auth: {{ users_file: nowhere.yaml, token: {{ secret: \"${{NOT_SET_ANYWHERE}}\" }} }}\nservices: {{}}\n"
    );
    std::fs::write(gateway.path("broken.yaml"), broken).unwrap();
    let path_of_broken = gateway.path("broken.yaml");
    let by_broken = ["--config", path_of_broken.to_str().unwrap()];
    assert_eq!(healthcheck(&by_broken), (Some(0), "ready\n".to_owned()));
    for (text, expected) in [
        ("admin: { listen: nonsense }", "error[invalid-value]"),
        (
            "admin: { listen: \"${NOT_SET_ANYWHERE}\" }",
            "NOT_SET_ANYWHERE",
        ),
        ("admin: [", "error["),
    ] {
        std::fs::write(gateway.path("unsaid.yaml"), text).unwrap();
        let path = gateway.path("unsaid.yaml");
        let (code, said) = healthcheck(&["--config", path.to_str().unwrap()]);
        assert!(code == Some(1) && said.contains(expected), "{text}: {said}");
    }
    gateway.signal("TERM");
    gateway.event("draining");
    for args in [&by_config[..], &by_address] {
        let (code, said) = healthcheck(args);
        assert_eq!(code, Some(1), "{args:?}: {said}");
        assert!(
            said.contains("not ready: ") && said.contains("draining"),
            "{said}"
        );
    }
    gateway.signal("TERM");
    gateway.ended();
    let (code, said) = healthcheck(&by_address);
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&format!("cannot ask the admin listener at `{address}`")),
        "{said}"
    );
}

/// User and system time of a process, in ticks of 10 ms.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn one_worker_is_enough_and_idleness_costs_nothing() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES)
        .upstream(upstream.address)
        .server("timeouts: { idle: 1500ms }");
    let config = builder.config().replace("workers: 2", "workers: 1");
    let gateway = builder.whole(&config).start();
    let mut idle = Connection::open(gateway.address);
    assert_eq!(
        idle.write("GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
            .read()
            .status,
        200
    );
    let before = cpu_ticks(gateway.id());
    assert_eq!(idle.read_to_end(), "", "closed when its time was over");
    let spent = cpu_ticks(gateway.id()) - before;
    assert!(spent <= 15, "{} ms of CPU in 1.5 s of idleness", spent * 10);
}

#[test]
fn several_addresses_are_served() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let config = builder.config().replace(
        "listen: [\"127.0.0.1:0\"]",
        "listen: [\"127.0.0.1:0\", \"[::1]:0\"]",
    );
    let gateway = builder.whole(&config).start();
    let printed = gateway.printed();
    let port = printed
        .split_once("[::1]:")
        .unwrap()
        .1
        .split(']')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    for address in [
        gateway.address,
        SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
    ] {
        assert_eq!(get(address, "/open", "").status, 200, "{address}");
    }
}
