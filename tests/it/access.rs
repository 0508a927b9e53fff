//! Who gets in: login, tokens, rules, and the answers of the denial table.

use crate::support::{PASSWORD, Upstream, gateway, send};

const JOBS: &str = r#"
  jobs:
    upstream: http://UPSTREAM
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: /both, allow: { all_roles: [recruiter, admin] } }
      - { path: /either, allow: { roles: [admin, boss] } }
      - { path: "/users/{id}/**", allow: [ { roles: [recruiter] }, { user: "{id}" } ] }
      - { path: "/tenants/{tenant}", allow: { claims: { tenant: "{tenant}" } } }
      - { path: /local, allow: { networks: [127.0.0.0/8] } }
      - { path: /remote, allow: { networks: [10.0.0.0/8] } }
      - { path: /never, allow: nobody }
"#;

#[test]
fn the_answers_of_the_denial_table() {
    let upstream = Upstream::saying("hello");
    let gateway = gateway(JOBS).upstream(upstream.address).start();
    let (rita, carl) = (gateway.bearer("rita"), gateway.bearer("carl"));
    let (nobody, bad) = (String::new(), "Authorization: Bearer x.y.z\r\n".to_owned());
    let realm = "Bearer realm=\"gatelatch\"";
    let malformed = format!(
        "{realm}, error=\"invalid_token\", error_description=\"{}\"",
        "the token is malformed"
    );
    let scope = format!("{realm}, error=\"insufficient_scope\"");
    let table: &[(&str, &str, &str, u16, &str, &str)] = &[
        ("GET", "/public/a", &nobody, 200, "hello", ""),
        ("GET", "/public/a", &bad, 200, "hello", ""),
        ("GET", "/jobs", &nobody, 401, "Not authenticated", realm),
        (
            "GET",
            "/jobs",
            &bad,
            401,
            "Invalid or expired token",
            &malformed,
        ),
        ("GET", "/jobs", &carl, 200, "hello", ""),
        ("HEAD", "/jobs", &nobody, 401, "", realm),
        ("POST", "/jobs", &nobody, 401, "Not authenticated", realm),
        (
            "POST",
            "/jobs",
            &carl,
            403,
            "Access denied. Requires role: recruiter",
            &scope,
        ),
        ("POST", "/jobs", &rita, 200, "hello", ""),
        ("DELETE", "/jobs", &rita, 403, "Access denied", ""),
        (
            "GET",
            "/both",
            &rita,
            403,
            "Access denied. Requires roles: recruiter and admin",
            &scope,
        ),
        (
            "GET",
            "/either",
            &rita,
            403,
            "Access denied. Requires role: admin or boss",
            &scope,
        ),
        ("GET", "/users/carl/applications", &carl, 200, "hello", ""),
        ("GET", "/users/%63arl/applications", &carl, 200, "hello", ""),
        (
            "GET",
            "/users/rita/applications",
            &carl,
            403,
            "Access denied",
            &scope,
        ),
        ("GET", "/users/carl/applications", &rita, 200, "hello", ""),
        (
            "GET",
            "/users/carl/applications",
            &nobody,
            401,
            "Not authenticated",
            realm,
        ),
        ("GET", "/tenants/acme", &carl, 200, "hello", ""),
        ("GET", "/tenants/other", &carl, 403, "Access denied", &scope),
        ("GET", "/local", &nobody, 200, "hello", ""),
        ("GET", "/remote", &nobody, 403, "Access denied", ""),
        ("GET", "/never", &rita, 403, "Access denied", ""),
        ("GET", "/unknown", &nobody, 403, "Access denied", ""),
        ("GET", "/unknown", &rita, 403, "Access denied", ""),
    ];
    for (method, path, credential, status, said, challenge) in table {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{credential}\r\n");
        let raw = crate::support::Connection::open(gateway.address)
            .write(request)
            .read_to_end();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let answer = crate::support::Answer {
            status: 0,
            head: head.to_owned(),
            body: body.to_owned(),
        };
        let context = format!("{method} {path} with {credential:?}: {raw}");
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{context}"
        );
        assert_eq!(answer.header("www-authenticate"), *challenge, "{context}");
        if *status >= 400 {
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{context}"
            );
            assert_eq!(answer.header("cache-control"), "no-store", "{context}");
        }
        if *status >= 400 && *method != "HEAD" {
            let problem = answer.json();
            assert_eq!(problem["detail"], *said, "{context}");
            assert_eq!(problem["status"], *status, "{context}");
        } else {
            assert_eq!(body, *said, "{context}");
        }
    }
}

#[test]
fn unknown_wrong_and_disabled_users_get_the_same_bytes() {
    let gateway = gateway(JOBS).start();
    let strip_date = |answer: crate::support::Answer| {
        let head: Vec<String> = answer
            .head
            .lines()
            .filter(|line| !line.starts_with("date:"))
            .map(str::to_owned)
            .collect();
        (head, answer.body)
    };
    let wrong = strip_date(gateway.login("rita", "wrong"));
    assert!(wrong.0[0].contains("401"), "{wrong:?}");
    assert!(
        wrong.1.contains("\"detail\":\"Invalid credentials\"") && wrong.1.contains("invalid_grant"),
        "{wrong:?}"
    );
    assert_eq!(strip_date(gateway.login("nobody", PASSWORD)), wrong);
    assert_eq!(strip_date(gateway.login("gone", PASSWORD)), wrong);
    assert_eq!(strip_date(gateway.login("rita", &"x".repeat(100))), wrong);
    assert_eq!(strip_date(gateway.login("rita", "correct%00")), wrong);
}

#[test]
fn a_login_is_json_or_a_form_and_the_token_says_who_it_is() {
    let gateway = gateway(JOBS).auth("token_paths: [/token]").start();
    let json = format!("{{\"username\":\"rita\",\"password\":\"{PASSWORD}\"}}");
    let form = format!(
        "grant_type=password&username=rita&password={}&scope=",
        PASSWORD.replace(' ', "%20")
    );
    for (path, kind, body, credential) in [
        ("/auth/login", "application/json", &json, ""),
        (
            "/auth/login",
            "application/x-www-form-urlencoded",
            &form,
            "Authorization: Basic Og==\r\n",
        ),
        (
            "/auth/token",
            "application/x-www-form-urlencoded",
            &form,
            "",
        ),
        ("/token", "application/x-www-form-urlencoded", &form, ""),
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\n{credential}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = send(gateway.address, request);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let json = answer.json();
        assert_eq!(json["token_type"], "bearer");
        assert_eq!(json["expires_in"], 1800);
        let token = json["access_token"].as_str().unwrap();
        let me = gateway.get("/auth/me", &format!("Authorization: Bearer {token}\r\n"));
        assert_eq!(me.json()["sub"], "rita", "{me:?}");
        assert_eq!(me.json()["roles"], serde_json::json!(["recruiter"]));
    }
    assert_eq!(gateway.get("/auth/me", "").status, 401);
    assert_eq!(
        gateway.get("/auth/anything", "").status,
        404,
        "the gateway's own paths are never forwarded"
    );
}

#[test]
fn a_bad_login_says_which_field_is_wrong() {
    let gateway = gateway(JOBS).start();
    let post = |kind: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        send(gateway.address, request)
    };
    let form = "application/x-www-form-urlencoded";
    for (kind, body, status, said) in [
        (form, "username=rita", 422, "password"),
        (form, "password=x", 422, "username"),
        (form, "username=a&username=b&password=x", 400, "username"),
        (
            form,
            "username=a&password=x&grant_type=magic",
            400,
            "grant_type",
        ),
        ("application/json", "{", 400, ""),
        (
            "application/json",
            "{\"username\":1,\"password\":\"x\"}",
            422,
            "username",
        ),
        ("text/plain", "username=rita&password=x", 415, ""),
    ] {
        let answer = post(kind, body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.body.contains(said), "{body}: {answer:?}");
    }
}
