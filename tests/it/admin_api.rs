//! `/api` of the admin listener: what operators are told, who may ask, and the one thing that they change.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, GatewayBuilder, PASSWORD, Redis, Upstream, gateway, get, send, until,
};

const TOKEN: &str = "an-admin-token-of-32-characters!";

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
      - { path: /jobs, methods: [GET], allow: { roles: [recruiter] }, name: see jobs }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: /trial/**, allow: { roles: [recruiter] }, mode: report }
      - { path: \"/users/{id}\", allow: { user: \"{id}\" } }
";

fn with_token(builder: GatewayBuilder) -> GatewayBuilder {
    let whole = builder.config().replace(
        "admin: { listen:",
        "admin: { token: \"${ADMIN_TOKEN}\", listen:",
    );
    builder.whole(&whole).variable("ADMIN_TOKEN", TOKEN)
}

fn set_up(upstream: &Upstream) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth("login: { attempts: 2, lockout: 5m }")
}

/// Asks as the page does.
fn ask(gateway: &Gateway, path: &str) -> Value {
    let answer = asked(gateway, path, "");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn asked(gateway: &Gateway, path: &str, fields: &str) -> Answer {
    send(
        gateway.admin,
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n",
            gateway.admin
        ),
    )
}

fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

fn lift(gateway: &Gateway, id: &str, fields: &str) -> Answer {
    let body = json!({ "id": id }).to_string();
    let head = format!(
        "POST /api/lockouts/lift HTTP/1.1\r\nHost: {}\r\n{fields}",
        gateway.admin
    );
    send(
        gateway.admin,
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
    )
}

fn json_and(fields: &str) -> String {
    format!("Content-Type: application/json\r\n{}{fields}", bearer())
}

fn rules(gateway: &Gateway, query: &str) -> Vec<Value> {
    ask(gateway, &format!("/api/rules?{query}"))["rules"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn rules_say_what_they_have_decided() {
    let upstream = Upstream::saying("hi");
    let gateway = set_up(&upstream).start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    assert_eq!(
        (
            gateway.get("/jobs", &rita).status,
            gateway.get("/jobs", &carl).status
        ),
        (200, 403)
    );
    assert_eq!(
        (
            gateway.get("/jobs", "").status,
            gateway.get("/trial/x", &carl).status
        ),
        (401, 200)
    );
    assert_eq!(gateway.get("/nothing", &rita).status, 403);
    // a request is counted a moment after its last byte
    until("the counts", || {
        rules(&gateway, "sort=denied")[0]["total"] == 3 && rules(&gateway, "q=no+rule").len() == 1
    });

    let denied = &rules(&gateway, "sort=denied")[0];
    assert_eq!(denied["name"], "see jobs");
    assert_eq!(
        denied["hits"],
        json!({ "allowed": 1, "unauthenticated": 1, "forbidden": 1 })
    );
    assert_eq!(
        (&denied["denied"], &denied["allow"]),
        (&json!(2), &json!("role recruiter"))
    );
    let config = gateway.read("gateway.yaml");
    let line = config
        .lines()
        .position(|line| line.contains("see jobs"))
        .unwrap()
        + 1;
    assert!(
        denied["file"].as_str().unwrap().ends_with("gateway.yaml"),
        "{denied}"
    );
    assert_eq!(denied["line"], line);

    let names = |query: &str| {
        rules(&gateway, query)
            .iter()
            .map(|rule| rule["path"].clone())
            .collect::<Vec<_>>()
    };
    let all = [
        json!("/open"),
        json!("/jobs"),
        json!("/jobs"),
        json!("/trial/**"),
        json!("/users/{id}"),
        Value::Null,
    ];
    assert_eq!(
        names(""),
        all,
        "in the order of the file; and what no rule covers"
    );
    assert_eq!(names("show=reported"), [json!("/trial/**")]);
    assert_eq!(names("show=denied"), [json!("/jobs"), Value::Null]);
    assert_eq!(names("show=unused&q=USER"), [json!("/users/{id}")]);
    assert_eq!(names("q=recruiter+post"), [json!("/jobs")]);
    assert_eq!(names(&format!("q=gateway.yaml%3A{line}")), [json!("/jobs")]);
    assert_eq!(names("limit=2&offset=1"), [json!("/jobs"), json!("/jobs")]);
    assert_eq!(names("service=other"), [] as [Value; 0]);
    let page = ask(&gateway, "/api/rules?limit=2&offset=4");
    assert_eq!((&page["total"], &page["offset"]), (&json!(6), &json!(4)));
    for wrong in ["show=some", "limit=x", "colour=red", "q=%zz", "q=a&q=b"] {
        assert_eq!(
            asked(&gateway, &format!("/api/rules?{wrong}"), "").status,
            400,
            "{wrong}"
        );
    }

    let routes = ask(&gateway, "/api/routes?q=see");
    let role = |name: &str| json!({ "kind": "role", "name": name });
    assert_eq!(
        routes["audiences"].as_array().unwrap()[2..],
        [role("candidate"), role("recruiter")],
        "no rule names `candidate`, and a user has it"
    );
    let access = &routes["rules"][0]["access"];
    assert_eq!(access, &json!([false, false, false, true]));
    let own = &ask(&gateway, "/api/routes?q=users")["rules"][0]["access"];
    let condition = json!(["user = {id}"]);
    assert_eq!(own, &json!([false, condition, condition, condition]));
}

#[test]
fn denials_are_told_with_reason_and_rule_and_without_secrets() {
    let upstream = Upstream::saying("hi");
    let gateway = set_up(&upstream).start();
    let carl = gateway.bearer("carl");
    assert_eq!(gateway.get("/open?token=hunter2", "").status, 200);
    assert_eq!(gateway.get("/jobs?token=hunter2", &carl).status, 403);
    assert_eq!(
        gateway
            .get("/jobs", "Authorization: Bearer hunter2.hunter2.hunter2\r\n")
            .status,
        401
    );
    assert_eq!(gateway.get("/trial/x", &carl).status, 200);
    assert_eq!(gateway.get("/a//b", "").status, 400);
    until("four denials", || {
        ask(&gateway, "/api/denials")["denials"]
            .as_array()
            .unwrap()
            .len()
            == 4
    });
    let answer = asked(&gateway, "/api/denials", "");
    assert!(
        !answer.body.contains("hunter2")
            && !answer.body.contains(carl.split(' ').nth(2).unwrap().trim())
    );
    let denials = answer.json()["denials"].as_array().unwrap().clone();
    let of = |decision: &str| {
        denials
            .iter()
            .find(|denial| denial["decision"] == decision)
            .unwrap()
    };
    let forbidden = of("forbidden");
    assert_eq!(
        (&forbidden["rule"], &forbidden["reason"]),
        (&json!("see jobs"), &json!("role missing"))
    );
    assert_eq!(
        (&forbidden["user"], &forbidden["client"]),
        (&json!("carl"), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&forbidden["path"], &forbidden["status"]),
        (&json!("/jobs"), &json!(403))
    );
    assert!(forbidden["line"].is_number(), "{forbidden}");
    assert_eq!(
        (
            &of("unauthenticated")["user"],
            &of("unauthenticated")["status"]
        ),
        (&Value::Null, &json!(401))
    );
    assert_eq!(
        (&of("reported")["status"], &of("bad_request")["service"]),
        (&json!(200), &Value::Null)
    );

    for _ in 0..3 {
        assert_eq!(gateway.login("rita", "wrong-hunter2").status / 100, 4);
    }
    until("the logins", || {
        ask(&gateway, "/api/logins")["totals"]["locked_out"] == 1
    });
    let logins = asked(&gateway, "/api/logins", "");
    assert!(!logins.body.contains("hunter2"), "{logins:?}");
    let list = logins.json()["logins"].as_array().unwrap().clone();
    let failed = list
        .iter()
        .find(|one| one["reason"] == "locked_out")
        .unwrap();
    assert_eq!(
        (&failed["event"], &failed["user"]),
        (&json!("login_failed"), &json!("rita"))
    );
    assert!(
        list.iter()
            .any(|one| one["event"] == "login" && one["user"] == "carl"),
        "{list:?}"
    );
}

#[test]
fn the_past_is_there_when_the_page_opens() {
    let upstream = Upstream::saying("hi");
    let gateway = set_up(&upstream).start();
    assert_eq!(gateway.get("/open", "").status, 200);
    let sum = |column: &Value| {
        column
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .sum::<f64>()
    };
    until("a sample", || {
        sum(&ask(&gateway, "/api/history")["requests_per_second"]["allowed"]) > 0.0
    });
    let history = ask(&gateway, "/api/history");
    let length = history["at"].as_array().unwrap().len();
    assert_eq!(
        history["next"].as_u64().unwrap() - history["first"].as_u64().unwrap(),
        length as u64
    );
    assert!(
        sum(&history["latency_milliseconds"]["p99"]) > 0.0,
        "{history}"
    );
    assert_eq!(history["connections"].as_array().unwrap().len(), length);
    let next = history["next"].as_u64().unwrap();
    let rest = ask(&gateway, &format!("/api/history?after={next}"));
    assert!(rest["first"].as_u64().unwrap() >= next, "{rest}");
}

#[test]
fn a_refused_reload_is_told_with_its_problems() {
    let upstream = Upstream::saying("hi");
    let gateway = set_up(&upstream).start();
    let before = ask(&gateway, "/api/configuration");
    assert_eq!(
        (
            &before["last_reload"],
            before["digest"].as_str().unwrap().len()
        ),
        (&Value::Null, 64)
    );
    assert!(before["warnings"][0]["code"].is_string(), "{before}");
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("allow: anyone", "alow: anyone"),
    );
    gateway.event("configuration not reloaded");
    until("the refusal", || {
        ask(&gateway, "/api/configuration")["last_reload"]["outcome"] == "refused"
    });
    let refused = ask(&gateway, "/api/configuration");
    assert_eq!(
        (&refused["digest"], &refused["loaded_at"]),
        (&before["digest"], &before["loaded_at"])
    );
    let problem = refused["problems"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["code"] == "unknown-key")
        .unwrap();
    assert_eq!(problem["severity"], "error", "{problem}");
    assert!(
        problem["place"]["line"].is_number() && !refused.to_string().contains("test-secret"),
        "{refused}"
    );
    gateway.replace(
        "gateway.yaml",
        &config.replace("allow: anyone", "allow: nobody"),
    );
    gateway.event("configuration reloaded");
    until("the repair", || {
        ask(&gateway, "/api/configuration")["last_reload"]["outcome"] == "applied"
    });
    let applied = ask(&gateway, "/api/overview");
    assert_ne!(applied["configuration"]["digest"], before["digest"]);
    assert_eq!(
        (&applied["ready"], &applied["services"][0]["name"]),
        (&json!(true), &json!("app"))
    );
    assert_eq!(applied["services"][0]["servers"][0]["state"], "up");
    assert_eq!(applied["configuration"]["restart_needed"], false);
}

#[test]
fn without_a_token_everything_is_read_only() {
    let upstream = Upstream::saying("hi");
    let gateway = set_up(&upstream).start();
    assert_eq!(ask(&gateway, "/api/overview")["read_only"], true);
    let answer = lift(
        &gateway,
        "network:192.0.2.1",
        "Content-Type: application/json\r\n",
    );
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("set `admin.token`"), "{answer:?}");
    // DNS rebinding: a page of another site that had its name pointed here
    for path in ["/", "/api/overview", "/dashboard/main.js"] {
        let answer = get(gateway.admin, path, "");
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(
            answer.body.contains("or set `admin.token`"),
            "{path}: {answer:?}"
        );
    }
}

/// A page whose own name was pointed here could read every path of the rules from the metrics.
#[test]
fn probes_and_scrapers_are_answered_under_names_that_no_page_can_have() {
    let upstream = Upstream::saying("hi");
    let by_name = |gateway: &Gateway, path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        send(gateway.admin, request)
    };
    for configured in [set_up(&upstream), with_token(set_up(&upstream))] {
        let gateway = configured.start();
        for (host, status) in [
            (gateway.admin.to_string().as_str(), 200),
            ("localhost:9900", 200),
            ("gatelatch:9900", 200),
            ("gatelatch.monitoring.svc:9900", 200),
            ("gatelatch.monitoring.svc.cluster.local:9900", 200),
            ("evil.test", 403),
            ("gatelatch.dev:9900", 403),
            ("metrics.example.com:9900", 403),
        ] {
            for path in ["/readyz", "/metrics"] {
                let answer = by_name(&gateway, path, host);
                assert_eq!(answer.status, status, "{path} of {host}: {answer:?}");
                let says_what_to_do = answer.body.contains("`admin.hosts`");
                assert_eq!(
                    says_what_to_do,
                    status == 403,
                    "{path} of {host}: {answer:?}"
                );
                assert!(
                    status == 200 || !answer.body.contains("/jobs"),
                    "{answer:?}"
                );
            }
            assert_eq!(by_name(&gateway, "/healthz", host).status, 200, "{host}");
        }
        let nameless = send(gateway.admin, "GET /readyz HTTP/1.0\r\n\r\n");
        assert_eq!(nameless.status, 200, "a probe of HTTP/1.0: {nameless:?}");
        // a reload is enough
        let listed = gateway.read("gateway.yaml").replace(
            "listen: \"127.0.0.1:0\"",
            "listen: \"127.0.0.1:0\", hosts: [metrics.example.com]",
        );
        gateway.replace("gateway.yaml", &listed);
        gateway.event("configuration reloaded");
        for (host, status) in [
            ("metrics.example.com:9900", 200),
            ("127.0.0.1:9900", 200),
            ("evil.test", 403),
            ("gatelatch:9900", 403),
        ] {
            assert_eq!(by_name(&gateway, "/metrics", host).status, status, "{host}");
        }
    }
}

#[test]
fn with_a_token_it_is_asked_for() {
    let upstream = Upstream::saying("hi");
    let gateway = with_token(set_up(&upstream)).start();
    for path in ["/api", "/api/overview", "/api/lockouts", "/api/nothing"] {
        let answer = asked(&gateway, path, "");
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Bearer realm=\"gatelatch admin\""),
            "{path}"
        );
        assert_eq!(
            asked(
                &gateway,
                path,
                "Authorization: Bearer an-admin-token-of-32-characters?\r\n"
            )
            .status,
            401
        );
    }
    for path in ["/", "/dashboard/main.js", "/healthz"] {
        assert_eq!(
            get(gateway.admin, path, "").status,
            200,
            "{path} says nothing that a token is for"
        );
    }
    for path in ["/readyz", "/metrics"] {
        assert_eq!(gateway.probe(path).status, 200, "{path} asks for none");
    }
    assert_eq!(
        get(gateway.admin, "/api/overview", &bearer()).status,
        200,
        "by any name"
    );
    assert_eq!(asked(&gateway, "/api/nothing", &bearer()).status, 404);

    let id = "network:192.0.2.1";
    let own = format!("Origin: http://{}\r\n", gateway.admin);
    for (fields, expected) in [
        (json_and(""), 200),
        (json_and(&own), 200),
        (json_and("Sec-Fetch-Site: same-origin\r\n"), 200),
        (json_and("Sec-Fetch-Site: cross-site\r\n"), 403),
        (json_and("Origin: http://evil.example\r\n"), 403),
        (json_and("Origin: null\r\n"), 403),
        (bearer(), 415),
        (format!("Content-Type: text/plain\r\n{}", bearer()), 415),
        ("Content-Type: application/json\r\n".to_owned(), 401),
    ] {
        assert_eq!(lift(&gateway, id, &fields).status, expected, "{fields}");
    }
    assert_eq!(lift(&gateway, "nobody", &json_and("")).status, 404);
    assert_eq!(asked(&gateway, "/api/lockouts/lift", &bearer()).status, 405);
    let large = format!(
        "{}Content-Length: 5000\r\n\r\n{}",
        json_and(""),
        "x".repeat(5000)
    );
    let large = format!(
        "POST /api/lockouts/lift HTTP/1.1\r\nHost: {}\r\n{large}",
        gateway.admin
    );
    assert_eq!(send(gateway.admin, large).status, 400);
    assert!(!gateway.printed().contains(TOKEN));

    // another token is in force as soon as it is read
    let config = gateway.read("gateway.yaml");
    gateway.replace(
        "gateway.yaml",
        &config.replace("\"${ADMIN_TOKEN}\"", "\"${ADMIN_TOKEN}-and-more\""),
    );
    gateway.event("configuration reloaded");
    until("the new token", || {
        asked(&gateway, "/api/overview", &bearer()).status == 401
    });
}

/// What must hold over any store.
fn assert_lifts(gateway: &Gateway, other: &Gateway) {
    for _ in 0..2 {
        assert_eq!(gateway.login("rita", "wrong").status, 401);
        assert_eq!(gateway.login("no such user", "wrong").status, 401);
    }
    assert_eq!(
        (
            gateway.login("rita", PASSWORD).status,
            other.login("rita", PASSWORD).status
        ),
        (429, 429)
    );
    let listed = || asked(other, "/api/lockouts", &bearer()).json();
    let list = listed();
    assert_eq!(list["total"], 2, "{list}");
    let entries = list["lockouts"].as_array().unwrap();
    let rita = entries
        .iter()
        .find(|entry| entry["user"] == "rita")
        .unwrap();
    assert_eq!(
        (&rita["kind"], &rita["network"]),
        (&json!("account_from_network"), &json!("127.0.0.1"))
    );
    assert!(
        (1..=300).contains(&rita["seconds_left"].as_u64().unwrap()),
        "{rita}"
    );
    let lifted = lift(other, rita["id"].as_str().unwrap(), &json_and(""));
    assert_eq!(
        (lifted.status, &lifted.json()["lifted"]),
        (200, &rita["id"])
    );
    assert_eq!(
        other.event("an operator has lifted a lockout")["kind"],
        "account_from_network"
    );
    assert_eq!(gateway.login("rita", PASSWORD).status, 200);
    assert_eq!(
        (
            &listed()["total"],
            listed()["lockouts"].as_array().unwrap().len()
        ),
        (&json!(1), 1)
    );
    assert_eq!(asked(other, "/api/lockouts?limit=x", &bearer()).status, 400);
}

#[test]
fn a_lockout_is_lifted_in_memory() {
    let upstream = Upstream::saying("hi");
    let gateway = with_token(set_up(&upstream)).start();
    assert_lifts(&gateway, &gateway);
}

#[test]
fn a_lockout_is_lifted_in_a_file() {
    let upstream = Upstream::saying("hi");
    let gateway = with_token(set_up(&upstream).more("state: file:state.redb")).start();
    assert_lifts(&gateway, &gateway);
    assert!(fs::metadata(gateway.path("state.redb")).is_ok());
}

#[test]
fn a_lockout_is_lifted_by_another_replica_over_redis() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let start = || {
        with_token(set_up(&upstream).more(&format!(
            "state: {}\nlog: {{ audit: audit.log }}",
            redis.url()
        )))
        .start()
    };
    let (one, other) = (start(), start());
    assert_lifts(&one, &other);
    redis.kill();
    until("word of the store", || {
        asked(&one, "/api/lockouts", &bearer()).status == 503
    });
    let away = lift(&one, "network:192.0.2.1", &json_and(""));
    assert_eq!(away.status, 503);
    assert!(
        away.body.contains("the state store cannot be reached"),
        "{away:?}"
    );
    until("its record", || {
        one.read("audit.log")
            .contains("\"network\":\"192.0.2.1\",\"reason\":\"state_away\"")
    });
    let overview = asked(&one, "/api/overview", &bearer()).json();
    assert_eq!(
        (&overview["ready"], &overview["checks"]["state"]),
        (&json!(false), &json!("unreachable"))
    );
}
