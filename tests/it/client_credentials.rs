//! `grant_type=client_credentials`: a user's name and API key as client id and secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::api_keys::{digest, key};
use crate::support::{Answer, Gateway, Upstream, gateway, hash, post};

pub const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /deploy, allow: { roles: [deployer] } }
      - { path: /jobs, allow: { roles: [recruiter] } }
";

/// The keys of letters, each with what stands behind its hash.
pub fn users(keys: &[(char, &str)]) -> String {
    let entry = |(letter, more): &(char, &str)| {
        let digest = digest(&key(*letter));
        format!("      - {{ name: ci, hash: \"{digest}\"{more} }}\n")
            .replace("ci", &format!("ci-{letter}"))
    };
    let keys: String = keys.iter().map(entry).collect();
    format!(
        "users:
  rita:
    password: {}
    roles: [recruiter]
    claims: {{ tenant: acme }}
  ci+jobs@example.com:
    roles: [recruiter]
    claims: {{ tenant: acme }}
    api_keys:
{keys}",
        hash()
    )
}

pub const NAME: &str = "ci+jobs@example.com";

pub fn start(upstream: &Upstream, keys: &[(char, &str)]) -> Gateway {
    gateway(SERVICES)
        .users(&users(keys))
        .upstream(upstream.address)
        .start()
}

pub fn basic(id: &str, secret: &str) -> String {
    let pair = STANDARD.encode(format!("{id}:{secret}"));
    format!("Authorization: Basic {pair}\r\n")
}

pub fn form(gateway: &Gateway, path: &str, fields: &str, body: &str) -> Answer {
    let fields = format!("{fields}Content-Type: application/x-www-form-urlencoded\r\n");
    post(gateway.address, path, &fields, body)
}

fn ask(gateway: &Gateway, fields: &str, more: &str) -> Answer {
    let body = format!("grant_type=client_credentials{more}");
    form(gateway, "/auth/token", fields, &body)
}

/// Its access token.
pub fn granted(gateway: &Gateway, letter: char) -> String {
    let answer = ask(gateway, &basic(NAME, &key(letter)), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn a_key_is_exchanged_for_a_token_with_its_roles() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream, &[('a', ", roles: [deployer]"), ('b', "")]);
    let encoded = "ci%2Bjobs%40example.com";
    let (key_a, key_b) = (key('a'), key('b'));
    for (fields, body) in [
        (basic(NAME, &key_a), String::new()),
        (basic(encoded, &key_a), String::new()),
        (basic(NAME, &key_a), format!("&client_id={encoded}")),
        (
            basic("", ""),
            format!("&client_id={encoded}&client_secret={key_a}"),
        ),
        (
            String::new(),
            format!("&client_secret={key_a}&client_id={encoded}&scope="),
        ),
    ] {
        let answer = ask(&gateway, &fields, &body);
        assert_eq!(answer.status, 200, "{fields} {body} {answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let said = answer.json();
        assert_eq!(said["token_type"], "bearer");
        assert_eq!(said["expires_in"], 1800);
        assert!(
            said.get("refresh_token").is_none() && said.get("scope").is_none(),
            "{said}"
        );
        let token = said["access_token"].as_str().unwrap();
        let claims = claims_of(token);
        assert_eq!(claims["sub"], NAME);
        assert_eq!(claims["tenant"], "acme");
        assert_eq!(claims["roles"], serde_json::json!(["deployer"]));
        let status = |path| gateway.get(path, &bearer(token)).status;
        assert_eq!((status("/deploy"), status("/jobs")), (200, 403));
    }
    let scoped = ask(&gateway, &basic(NAME, &key_b), "&scope=read%20write:all");
    assert_eq!(scoped.json()["scope"], "read write:all");
    let token = granted(&gateway, 'b');
    assert_eq!(gateway.get("/jobs", &bearer(&token)).status, 200);
    let last = upstream.received().pop().unwrap();
    assert_eq!(last.fields("remote-user"), ["ci+jobs@example.com"]);
    assert!(last.fields("authorization").is_empty());
    assert_eq!(
        gateway.metric(r#"gatelatch_logins_total{outcome="success"}"#),
        7.0
    );
    assert!(!gateway.printed().contains("glk_"));
}

#[test]
fn whoever_is_no_client_is_told_so_and_nobody_is_locked_out() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream, &[('a', ""), ('b', ", expires: 2020-01-01")]);
    let challenge = "Basic realm=\"gatelatch\", charset=\"UTF-8\"";
    let (a, b) = (key('a'), key('b'));
    for (fields, body) in [
        (String::new(), String::new()),
        (String::new(), format!("&client_id={NAME}")),
        (basic(NAME, &key('x')), String::new()),
        (basic(NAME, &b), String::new()),
        (basic("rita", &a), String::new()),
        (basic("ci jobs@example.com", &a), String::new()),
        (basic("", &a), String::new()),
        (basic(NAME, ""), String::new()),
        ("Authorization: Basic !\r\n".to_owned(), String::new()),
        (
            "Authorization: Basic !\r\n".to_owned(),
            "&client_id=x".to_owned(),
        ),
        (String::new(), format!("&client_id=rita&client_secret={a}")),
        (String::new(), format!("&client_secret={a}")),
    ] {
        let answer = ask(&gateway, &fields, &body);
        assert_eq!(answer.status, 401, "{fields} {body} {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_client");
        assert_eq!(answer.headers("www-authenticate"), [challenge]);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for (fields, body, error) in [
        (
            basic(NAME, &a),
            format!("&client_secret={a}"),
            "invalid_request",
        ),
        (
            basic(NAME, &a),
            "&client_id=other".to_owned(),
            "invalid_request",
        ),
        (
            basic(NAME, &a),
            "&scope=a&scope=b".to_owned(),
            "invalid_request",
        ),
        (basic(NAME, &a), "&scope=a%22".to_owned(), "invalid_scope"),
    ] {
        let answer = ask(&gateway, &fields, &body);
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &error.into()),
            "{answer:?}"
        );
    }
    let two = basic(NAME, &a) + &basic(NAME, &a);
    assert_eq!(ask(&gateway, &two, "").status, 400);
    for path in ["/auth/login", "/auth/refresh"] {
        let answer = form(
            &gateway,
            path,
            &basic(NAME, &a),
            "grant_type=client_credentials",
        );
        assert_eq!(answer.json()["error"], "unsupported_grant_type", "{path}");
    }
    let event = gateway.named_event("login_failed");
    assert_eq!(event["reason"], "invalid_client", "{event}");
    // far more than `login.attempts`, and the right key still works
    assert_eq!(ask(&gateway, &basic(NAME, &a), "").status, 200);
}

#[test]
fn a_token_ends_with_its_key_and_has_the_roles_that_the_key_has_now() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream, &[('a', ", roles: [deployer]"), ('b', "")]);
    let token = granted(&gateway, 'a');
    let status = |path: &str| gateway.get(path, &bearer(&token)).status;
    let change = |keys: &[(char, &str)], from: &str, to: &str| {
        gateway.replace("users.yaml", &users(keys).replace(from, to));
        gateway.event("configuration reloaded");
    };
    assert_eq!((status("/deploy"), status("/jobs")), (200, 403));
    change(&[('a', ", roles: [recruiter]")], "", "");
    assert_eq!((status("/deploy"), status("/jobs")), (403, 200));
    // another key under the same name is another key
    change(&[('c', "")], "ci-c", "ci-a");
    assert_eq!(status("/me"), 401);
    let refused = gateway.get("/me", &bearer(&token));
    assert_eq!(refused.json()["detail"], "Invalid or expired token");
    change(&[('a', ", expires: 2020-01-01")], "", "");
    assert_eq!(status("/me"), 401);
    change(&[('a', "")], "", "");
    assert_eq!(status("/me"), 200);
    let disabled = "ci+jobs@example.com:\n    disabled: true";
    change(&[('a', "")], "ci+jobs@example.com:", disabled);
    assert_eq!(status("/me"), 401);
    let later = "ci+jobs@example.com:\n    tokens_valid_after: 2999-01-01T00:00:00Z";
    change(&[('a', "")], "ci+jobs@example.com:", later);
    assert_eq!(status("/me"), 401);
}

#[test]
fn a_token_lives_no_longer_than_its_key() {
    let upstream = Upstream::saying("hi");
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let end = std::time::UNIX_EPOCH + std::time::Duration::from_secs(now + 900);
    let end = format!(", expires: \"{}\"", humantime::format_rfc3339_seconds(end));
    let gateway = start(&upstream, &[('a', &end)]);
    let answer = ask(&gateway, &basic(NAME, &key('a')), "");
    let lives = answer.json()["expires_in"].as_u64().unwrap();
    assert!((800..=900).contains(&lives), "{lives}");
    let token = granted(&gateway, 'a');
    assert_eq!(claims_of(&token)["exp"], now + 900);
    // a logout ends the token, and not the key
    assert_eq!(
        post(gateway.address, "/auth/logout", &bearer(&token), "").status,
        204
    );
    assert_eq!(gateway.get("/me", &bearer(&token)).status, 401);
    assert_eq!(
        gateway.get("/me", &bearer(&granted(&gateway, 'a'))).status,
        200
    );
}
