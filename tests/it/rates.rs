//! Rates: too many requests of one caller are 429, and nobody else notices.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::checks::Check;
use crate::support::commands::{folder, gatelatch, json, text};
use crate::support::{
    Answer, Connection, Gateway, GatewayBuilder, NAVIGATION, PASSWORD, Upstream, gateway, sign_in,
    until,
};
use crate::upgrades::{echoing, open};

/// Buckets that do not fill while a test runs.
const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    cors: { origins: [\"http://page.test\"], credentials: true, expose: [RateLimit] }
    rate: { requests: 8, per: 1d, burst: 2, by: user }
    rules:
      - { path: /open, allow: anyone }
      - { path: /few, allow: authenticated, rate: { requests: 2, per: 1d, by: user }, name: few }
      - { path: /staff, allow: { roles: [admin] } }
";

fn limited(services: &str, upstream: &Upstream) -> GatewayBuilder {
    gateway(services).upstream(upstream.address)
}

fn statuses(gateway: &Gateway, path: &str, fields: &str, count: usize) -> Vec<u16> {
    (0..count)
        .map(|_| gateway.get(path, fields).status)
        .collect()
}

fn told(answer: &Answer) -> [&str; 2] {
    ["ratelimit-policy", "ratelimit"].map(|name| answer.header(name))
}

/// The next line of this path that is meant: each worker writes its own lines when it has time.
fn line_of(gateway: &Gateway, path: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
    loop {
        let line = gateway.line(path);
        if is_meant(&line) {
            return line;
        }
    }
}

fn limited_count(gateway: &Gateway, service: &str, rule: &str) -> f64 {
    gateway.metric(&format!(
        "gatelatch_rate_limited_total{{service=\"{service}\",rule=\"{rule}\"}}"
    ))
}

#[test]
fn too_many_requests_of_one_caller_are_refused_and_no_others() {
    let upstream = Upstream::saying("hi");
    let gateway = limited(SERVICES, &upstream).start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    let first = gateway.get("/few", &rita);
    let policy = r#""rule";q=2;w=86400, "service";q=10;w=108000"#;
    assert_eq!(
        told(&first),
        [policy, r#""rule";r=1;t=43200, "service";r=9;t=10800"#]
    );
    assert_eq!(gateway.get("/few", &rita).status, 200);
    let refused = gateway.get("/few", &rita);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(
        (refused.status, refused.header("cache-control")),
        (429, "no-store")
    );
    assert!((43_100..=43_200).contains(&seconds), "{seconds}");
    let [shown, left] = told(&refused);
    assert_eq!(shown, policy);
    assert!(
        left.starts_with(&format!("\"rule\";r=0;t={seconds}, \"service\";r=8;t=")),
        "{left}"
    );
    let detail = format!("Too many requests; try again in {seconds} seconds");
    assert_eq!(refused.json()["detail"], detail.as_str());
    // the service counts on, also for others of its rules
    assert_eq!(
        statuses(&gateway, "/open", &rita, 9),
        [200, 200, 200, 200, 200, 200, 200, 200, 429]
    );
    assert_eq!(statuses(&gateway, "/few", &carl, 3), [200, 200, 429]);
    assert_eq!(statuses(&gateway, "/open", "", 11)[9..], [200, 429]);
    let metrics = ["few", ""].map(|rule| limited_count(&gateway, "app", rule));
    assert_eq!(metrics, [2.0, 2.0]);
    assert_eq!(
        gateway.metric("gatelatch_rate_buckets"),
        5.0,
        "two users, an address"
    );
    assert_eq!(gateway.metric("gatelatch_rate_bucket_places"), 65_536.0);
    assert_eq!(upstream.received().len(), 2 + 8 + 2 + 10);
    let third = line_of(&gateway, "/few", |line| {
        line["user"] == "rita" && line["status"] == 429
    });
    assert_eq!(third["decision"], "limited");
    assert_eq!(
        (&third["reason"], &third["rule"]),
        (&"rate of the rule, by user".into(), &"few".into())
    );
    assert_eq!(
        (&third["user"], &third["status"]),
        (&"rita".into(), &429.into())
    );
}

#[test]
fn a_client_that_waits_as_long_as_it_is_told_gets_through() {
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone, rate: { requests: 1, per: 2s, by: address } } ]
";
    let upstream = Upstream::saying("hi");
    let gateway = limited(services, &upstream).start();
    for _ in 0..2 {
        let mut refused = gateway.get("/", "");
        while refused.status == 200 {
            refused = gateway.get("/", "");
        }
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=2).contains(&seconds), "{refused:?}");
        // what is waited for is the time itself
        thread::sleep(Duration::from_secs(seconds));
        assert_eq!(gateway.get("/", "").status, 200, "{refused:?}");
    }
}

#[test]
fn workers_count_together() {
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone, rate: { requests: 20, per: 1d, burst: 10, by: address } } ]
";
    let upstream = Upstream::saying("hi");
    let gateway = limited(services, &upstream)
        .workers(4)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let passed = [0, 0, 0].map(AtomicUsize::new);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = Connection::open(gateway.address);
                for (client, passed) in (0..).zip(&passed) {
                    for _ in 0..12 {
                        let head = format!(
                            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2001:db8:0:{client}::{client}\r\n\r\n"
                        );
                        let status = connection.write(head).read().status;
                        assert!(matches!(status, 200 | 429), "{status}");
                        passed.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let passed = passed.map(AtomicUsize::into_inner);
    assert_eq!(
        passed,
        [30, 30, 30],
        "exactly the buckets, of 96 requests each"
    );
}

/// What reaches no service is counted nowhere: nobody uses up the rate of another, and no limit hides a denial.
#[test]
fn only_what_is_forwarded_counts() {
    let upstream = Upstream::saying("hi");
    let gateway = limited(SERVICES, &upstream)
        .auth("login: { attempts: 100 }")
        .start();
    let rita = gateway.bearer("rita");
    let session = sign_in(&gateway, "rita");
    let preflight = "Origin: http://page.test\r\nAccess-Control-Request-Method: GET\r\n";
    for _ in 0..20 {
        assert_eq!(gateway.get("/few", "").status, 401);
        assert_eq!(gateway.get("/staff", &rita).status, 403);
        assert_eq!(gateway.get("/none", &rita).status, 403);
        assert_eq!(gateway.get("/a%2fb", &rita).status, 400);
        assert_eq!(
            gateway.get("/few", "Authorization: Bearer x\r\n").status,
            401
        );
        assert_eq!(gateway.get("/auth/me", &rita).status, 200);
        let foreign =
            format!("{session}Origin: http://evil.test\r\nSec-Fetch-Site: cross-site\r\n");
        let posted =
            format!("POST /open HTTP/1.1\r\nHost: a\r\n{foreign}Content-Length: 0\r\n\r\n");
        assert_eq!(
            Connection::open(gateway.address)
                .write(posted)
                .read()
                .status,
            403
        );
        let asked = format!("OPTIONS /few HTTP/1.1\r\nHost: a\r\n{preflight}\r\n");
        assert_eq!(
            Connection::open(gateway.address).write(asked).read().status,
            204
        );
    }
    assert_eq!(statuses(&gateway, "/few", &rita, 3), [200, 200, 429]);
    assert_eq!(statuses(&gateway, "/open", "", 11)[9..], [200, 429]);
    // and whoever has used up a rate is still told what is missing
    assert_eq!(gateway.get("/staff", &rita).status, 403);
    assert_eq!(gateway.get("/few", "").status, 401);
}

#[test]
fn people_see_a_page_that_says_when_to_try_again() {
    let upstream = Upstream::saying("hi");
    let services = SERVICES.replace("requests: 2, per: 1d", "requests: 1, per: 2h");
    let gateway = limited(&services, &upstream).start();
    let session = sign_in(&gateway, "rita");
    let fields = format!("{session}{NAVIGATION}");
    assert_eq!(gateway.get("/few", &fields).status, 200);
    let page = gateway.get("/few", &fields);
    assert_eq!(
        (page.status, page.header("content-type")),
        (429, "text/html; charset=utf-8")
    );
    assert!(
        page.body.contains("Please try again in 2 hours."),
        "{}",
        page.body
    );
    assert!(!page.body.contains("Too many requests;"), "it is said once");
    assert!(
        page.header("ratelimit").starts_with("\"rule\";r=0;t=7"),
        "{page:?}"
    );
    assert!(!page.header("retry-after").is_empty());
    // a page of another origin may read what it exposes
    let foreign = format!("{}Origin: http://page.test\r\n", gateway.bearer("rita"));
    let refused = gateway.get("/few", &foreign);
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "http://page.test"
    );
}

#[test]
fn a_rate_that_only_reports_refuses_nothing() {
    let services = "
  app:
    upstream: http://UPSTREAM
    mode: report
    rate: { requests: 2, per: 1d, by: service }
    rules:
      - { path: /open, allow: anyone, mode: enforce }
      - { path: /held, allow: anyone, mode: enforce, rate: { requests: 1, per: 1d, by: service } }
";
    let upstream = Upstream::saying("hi");
    let gateway = limited(services, &upstream).start();
    assert_eq!(statuses(&gateway, "/open", "", 3), [200; 3]);
    let third = line_of(&gateway, "/open", |line| line["decision"] == "reported");
    let reason = "would be 429: rate of the service, by service";
    assert_eq!(
        (&third["decision"], &third["reason"]),
        (&"reported".into(), &reason.into())
    );
    assert_eq!(limited_count(&gateway, "app", ""), 1.0);
    let held = gateway.get("/held", "");
    assert_eq!(held.status, 200);
    assert_eq!(
        told(&held),
        ["\"rule\";q=1;w=86400", "\"rule\";r=0;t=86400"],
        "of the other nothing is said"
    );
    assert_eq!(gateway.get("/held", "").status, 429);
}

#[test]
fn a_websocket_counts_once() {
    let upstream = echoing();
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /open, allow: anyone, rate: { requests: 2, per: 1d, by: address } } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    let mut tunnel = open(&gateway, "/open", "");
    for _ in 0..20 {
        tunnel.write("ping");
        assert_eq!(tunnel.read_exact(4), "ping");
    }
    gateway.replace(
        "users.yaml",
        &(gateway.read("users.yaml") + "# decided again\n"),
    );
    gateway.event("configuration reloaded");
    tunnel.write("ping");
    assert_eq!(tunnel.read_exact(4), "ping");
    let _second = open(&gateway, "/open", "");
    assert_eq!(gateway.get("/open", "").status, 429);
}

#[test]
fn a_reload_frees_nobody() {
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone, name: all, rate: { requests: 2, per: 1d, by: address } } ]
";
    let upstream = Upstream::saying("hi");
    let gateway = limited(services, &upstream).start();
    assert_eq!(statuses(&gateway, "/", "", 3), [200, 200, 429]);
    let change = |from: &str, to: &str| {
        let before = gateway.read("gateway.yaml");
        assert!(before.contains(from));
        gateway.replace("gateway.yaml", &before.replace(from, to));
        gateway.event("configuration reloaded");
    };
    change("name: all", "name: every");
    assert_eq!(gateway.get("/", "").status, 429);
    // an empty bucket fills at the new rate, whatever the former one said
    change("requests: 2, per: 1d", "requests: 100, per: 1h");
    let refused = gateway.get("/", "");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 429 && seconds <= 36, "{refused:?}");
    change(", rate: { requests: 100, per: 1h, by: address }", "");
    let free = gateway.get("/", "");
    assert_eq!(free.status, 200);
    assert!(!free.head.contains("ratelimit"), "{free:?}");
}

#[test]
fn a_flood_of_addresses_frees_nobody() {
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: anyone, rate: { requests: 2, per: 1d, by: address } } ]
";
    let upstream = Upstream::saying("hi");
    let gateway = limited(services, &upstream)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let from = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    assert_eq!(
        statuses(&gateway, "/", &from("203.0.113.9"), 3),
        [200, 200, 429]
    );
    let mut connection = Connection::open(gateway.address);
    for client in 0..2000 {
        let address = format!("2001:db8:{:x}:{:x}::1", client / 50, client % 50);
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", from(&address));
        assert_eq!(connection.write(head).read().status, 200, "{address}");
    }
    assert_eq!(gateway.metric("gatelatch_rate_buckets"), 2001.0);
    assert_eq!(gateway.get("/", &from("203.0.113.9")).status, 429);
    // one customer's network is one caller
    let one = [
        "2001:db8:ffff:1::1",
        "2001:db8:ffff:1::2",
        "2001:db8:ffff:1:9::",
    ];
    assert_eq!(
        one.map(|address| gateway.get("/", &from(address)).status),
        [200, 200, 429]
    );
}

#[test]
fn forward_auth_counts_what_it_permits() {
    let services = SERVICES.replace("app:", "app:\n    hosts: [app.test]");
    let gateway = gateway(&services.replace("UPSTREAM", "127.0.0.1:9"))
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    let rita = gateway.bearer("rita");
    let asked = format!(
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\n\
         X-Forwarded-Host: app.test\r\nX-Forwarded-Uri: /few\r\n{rita}"
    );
    assert_eq!(statuses(&gateway, "/auth/verify", &asked, 2), [200, 200]);
    let refused = gateway.get("/auth/verify", &asked);
    assert_eq!(
        (refused.status, refused.header("ratelimit").is_empty()),
        (429, false)
    );
    let by_nginx = format!(
        "X-Forwarded-For: 192.0.2.7\r\nX-Original-Method: GET\r\nX-Original-URL: http://app.test/few\r\n{rita}"
    );
    let refused = gateway.get("/auth/verify", &by_nginx);
    assert_eq!(refused.status, 403, "nginx knows no 429");
    assert_eq!(refused.header("retry-after").len(), 5, "{refused:?}");
    // Envoy passes on what it gets over gRPC
    let verdict = Check::new("GET", "http://app.test/few", &rita).ask(&gateway);
    assert_eq!(verdict.denied, Some(429), "{verdict:?}");
    let names: Vec<&str> = verdict.set.iter().map(|field| &*field.name).collect();
    for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(names.contains(&name), "{verdict:?}");
    }
    // the same caller by the gateway itself
    let direct = format!("GET /few HTTP/1.1\r\nHost: app.test\r\n{rita}\r\n");
    assert_eq!(
        Connection::open(gateway.address)
            .write(direct)
            .read()
            .status,
        429
    );
}

#[test]
fn a_refusal_is_in_the_audit_stream_and_in_the_admin_api() {
    let upstream = Upstream::saying("hi");
    let gateway = limited(SERVICES, &upstream)
        .more("log: { audit: audit.log }")
        .start();
    let rita = gateway.bearer("rita");
    assert_eq!(statuses(&gateway, "/few", &rita, 3), [200, 200, 429]);
    let find = || {
        let records = gateway.read("audit.log");
        let denied = records
            .lines()
            .find(|line| line.contains("\"event\":\"denied\""));
        denied.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok())
    };
    until("the record", || find().is_some());
    let record = find().unwrap();
    for (field, expected) in [
        ("outcome", "failure"),
        ("user", "rita"),
        ("rule", "few"),
        ("decision", "limited"),
        ("reason", "rate of the rule, by user"),
    ] {
        assert_eq!(record[field], expected, "{record}");
    }
    assert_eq!(record["status"], 429);
    let rules = gateway.probe("/api/rules?q=few").json();
    let rule = &rules["rules"][0];
    assert_eq!(rule["rate"], "2 requests per 1d, by user");
    assert_eq!(
        (&rule["hits"]["limited"], &rule["hits"]["allowed"]),
        (&1.into(), &2.into())
    );
    let denials = gateway.probe("/api/denials").json().to_string();
    assert!(denials.contains("rate of the rule, by user"), "{denials}");
}

/// A login of somebody who is limited is no request to a service.
#[test]
fn the_gateways_own_endpoints_have_no_rate() {
    let upstream = Upstream::saying("hi");
    let gateway = limited(SERVICES, &upstream).start();
    let rita = gateway.bearer("rita");
    assert_eq!(statuses(&gateway, "/few", &rita, 3), [200, 200, 429]);
    assert_eq!(gateway.login("rita", PASSWORD).status, 200);
    let own = gateway.get("/auth/me", &rita);
    assert_eq!((own.status, own.head.contains("ratelimit")), (200, false));
}

#[test]
fn commands_say_which_rates_there_are() {
    let config = "auth: { token: { secret: \"0123456789abcdef0123456789abcdef\" } }\nservices:"
        .to_owned()
        + &SERVICES.replace("UPSTREAM", "127.0.0.1:9");
    let changed = config
        .replace("requests: 8, per: 1d, burst: 2", "requests: 9, per: 1d")
        .replace(", rate: { requests: 2, per: 1d, by: user }", "")
        .replace(
            "[admin] } }",
            "[admin] }, rate: { requests: 1, per: 1m, by: address } }",
        );
    let files = folder(&[
        ("gateway.yaml", &config),
        ("new.yaml", &changed),
        ("users.yaml", "users: {}"),
    ]);
    let run = |arguments: &[&str]| gatelatch(files.path(), arguments);
    let explained = text(&run(&["explain", "GET", "/few", "--roles", "x"]).stdout);
    for line in [
        "rate of the rule: 2 requests per 1d, by user",
        "rate of the service: 8 requests per 1d and a burst of 2, by user",
    ] {
        assert!(explained.contains(line), "{explained}");
    }
    let explained = json(&run(&["explain", "GET", "/few", "--format", "json"]));
    let service = serde_json::json!({ "of": "service", "requests": 8, "per_seconds": 86400.0, "burst": 2, "by": "user" });
    assert_eq!(
        (&explained["rates"][0]["of"], &explained["rates"][1]),
        (&"rule".into(), &service)
    );
    let routes = json(&run(&["routes", "--format", "json"]));
    assert_eq!(
        routes["services"][0]["rules"][1]["rate"],
        "2 requests per 1d, by user"
    );
    assert_eq!(
        routes["services"][0]["rules"][0]["rate"],
        serde_json::Value::Null
    );
    let diff = run(&["diff", "gateway.yaml", "new.yaml"]);
    let said = text(&diff.stdout);
    for line in [
        "has another rate: 9 requests per 1d, by user; before, 8 requests per 1d and a burst of 2, by user",
        "the rule `few` has no rate any more: before, 2 requests per 1d, by user",
        "the rule `* /staff` has a rate now: 1 request per 1m, by address",
    ] {
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(diff.status.code(), Some(0), "nobody may do more: {said}");
}

/// Who goes away takes nothing with it but its own request.
#[test]
fn a_client_that_goes_away_has_sent_its_request() {
    let upstream = Upstream::saying("hi");
    let gateway = limited(SERVICES, &upstream).start();
    let rita = gateway.bearer("rita");
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    let head = format!("GET /few HTTP/1.1\r\nHost: a\r\n{rita}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    until("it arrives", || upstream.received().len() == 1);
    drop(stream);
    assert_eq!(statuses(&gateway, "/few", &rita, 2), [200, 429]);
}
