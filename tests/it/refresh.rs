//! Refresh tokens: each is good once, and a stolen one ends the session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::{
    Answer, Gateway, Tokens, Upstream, gateway, post, refresh, refresh_at, tokens,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /jobs, allow: { roles: [recruiter] } }
";

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    (upstream, gateway)
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap(),
    )
    .unwrap()
}

fn me(gateway: &Gateway, tokens: &Tokens) -> u16 {
    gateway.get("/me", &tokens.bearer()).status
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (401, &"invalid_grant".into()),
        "{answer:?}"
    );
    assert_eq!(
        answer.json()["detail"],
        "the refresh token is invalid, expired or spent"
    );
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"gatelatch\""
    );
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[test]
fn every_way_to_refresh_gives_a_new_pair_of_the_same_session() {
    let (_upstream, gateway) = start();
    let mut last = tokens(&gateway, "rita");
    let session = claims(&last.access)["sid"].clone();
    assert_eq!(session.as_str().unwrap().len(), 22);
    for (path, fields, body) in [
        ("/auth/refresh", JSON, r#"{"refresh_token":"TOKEN"}"#),
        (
            "/auth/refresh",
            JSON,
            r#"{"grant_type":"refresh_token","refresh_token":"TOKEN","scope":null}"#,
        ),
        ("/auth/refresh", FORM, "refresh_token=TOKEN"),
        (
            "/auth/token",
            FORM,
            "grant_type=refresh_token&refresh_token=TOKEN&scope=",
        ),
    ] {
        let answer = post(
            gateway.address,
            path,
            fields,
            &body.replace("TOKEN", &last.refresh),
        );
        assert_eq!(
            (answer.header("cache-control"), answer.header("pragma")),
            ("no-store", "no-cache")
        );
        let next = Tokens::of(&answer);
        assert_ne!((&next.access, &next.refresh), (&last.access, &last.refresh));
        assert_eq!(claims(&next.access)["sid"], session);
        assert_eq!(
            (me(&gateway, &next), me(&gateway, &last)),
            (200, 200),
            "access tokens live until they expire"
        );
        last = next;
    }
    assert_eq!(
        gateway.metric(r#"gatelatch_refreshes_total{outcome="success"}"#),
        4.0
    );
    assert_ne!(
        claims(&tokens(&gateway, "rita").access)["sid"],
        session,
        "each login is a session"
    );
}

#[test]
fn a_spent_token_that_is_shown_again_ends_the_session() {
    let (_upstream, gateway) = start();
    let (first, other) = (tokens(&gateway, "rita"), tokens(&gateway, "rita"));
    let second = Tokens::of(&refresh(&gateway, &first.refresh));
    let third = Tokens::of(&refresh(&gateway, &second.refresh));
    assert_eq!(me(&gateway, &third), 200);
    assert_refused(&refresh(&gateway, &first.refresh));
    let event = gateway.named_event("refresh_token_reused");
    assert_eq!(
        (&event["user"], &event["client_ip"]),
        (&"rita".into(), &"127.0.0.1".into()),
        "{event}"
    );
    for tokens in [&first, &second, &third] {
        // each over a connection of its own, so that every worker is asked
        for _ in 0..8 {
            assert_eq!(me(&gateway, tokens), 401);
        }
    }
    assert_refused(&refresh(&gateway, &third.refresh));
    assert_eq!(
        me(&gateway, &other),
        200,
        "another session of the same user goes on"
    );
    Tokens::of(&refresh(&gateway, &other.refresh));
    assert_eq!(
        gateway.metric(r#"gatelatch_refreshes_total{outcome="reused"}"#),
        1.0
    );
    assert!(gateway.metric(r#"gatelatch_token_refusals_total{reason="revoked"}"#) >= 24.0);
    // two workers, two buffers: lines come in either order, and this one must come
    let mut lines = std::iter::repeat_with(|| gateway.line("/auth/refresh"));
    assert_eq!(
        lines
            .find(|line| line["reason"] == "refresh failed: reused")
            .unwrap()["status"],
        401
    );
}

#[test]
fn refreshes_of_one_client_at_the_same_moment_log_nobody_out() {
    let (_upstream, gateway) = start();
    let first = tokens(&gateway, "rita");
    let siblings: Vec<Tokens> = std::thread::scope(|scope| {
        let (address, first) = (gateway.address, &first);
        let one = move || Tokens::of(&refresh_at(address, &first.refresh));
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for sibling in &siblings {
        assert_eq!(claims(&sibling.access)["sid"], claims(&first.access)["sid"]);
        let next = Tokens::of(&refresh(&gateway, &sibling.refresh));
        assert_eq!(me(&gateway, &next), 200);
    }
}

#[test]
fn what_is_no_refresh_token_is_refused_alike() {
    let (_upstream, gateway) = start();
    let good = tokens(&gateway, "rita");
    let unknown = format!("glr_{}", "A".repeat(64));
    // within the secret; the signature behind it is about a stamp only
    let cut = &good.refresh[..66];
    for wrong in [unknown.as_str(), cut, "x", &good.access] {
        assert_refused(&refresh(&gateway, wrong));
        let body = format!("grant_type=refresh_token&refresh_token={wrong}");
        let answer = post(gateway.address, "/auth/token", FORM, &body);
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &"invalid_grant".into())
        );
    }
    for (fields, body, status, detail) in [
        (
            JSON,
            "{}",
            422,
            "the field `refresh_token` is missing or empty",
        ),
        (
            JSON,
            "[]",
            422,
            "the body must be a JSON object with `refresh_token`",
        ),
        (
            JSON,
            r#"{"refresh_token":1}"#,
            422,
            "the field `refresh_token` must be a string",
        ),
        (
            JSON,
            r#"{"refresh_token":"a","refresh_token":"b"}"#,
            400,
            "the field `refresh_token` is given twice",
        ),
        (
            JSON,
            r#"{"refresh_token":"a","grant_type":"password"}"#,
            400,
            "the grant type must be `refresh_token`",
        ),
        (
            FORM,
            "",
            422,
            "the field `refresh_token` is missing or empty",
        ),
        (
            "Content-Type: text/plain\r\n",
            "x",
            415,
            "the content type must be application/x-www-form-urlencoded or application/json",
        ),
    ] {
        let answer = post(gateway.address, "/auth/refresh", fields, body);
        assert_eq!(
            (answer.status, &answer.json()["detail"]),
            (status, &detail.into()),
            "{body}"
        );
    }
    assert_eq!(
        gateway.metric(r#"gatelatch_refreshes_total{outcome="malformed"}"#),
        7.0
    );
    assert_eq!(gateway.get("/auth/refresh", "").status, 405);
    Tokens::of(&refresh(&gateway, &good.refresh));
    for secret in [&good.refresh, &good.access] {
        assert!(
            !gateway.printed().contains(secret.as_str()),
            "a token was logged"
        );
    }
}

#[test]
fn the_user_list_decides_at_every_refresh() {
    let (_upstream, gateway) = start();
    let users = gateway.read("users.yaml");
    let change = |text: String| {
        gateway.replace("users.yaml", &text);
        gateway.event("configuration reloaded");
    };
    let rita = tokens(&gateway, "rita");
    change(users.replace("roles: [recruiter], name", "roles: [auditor], name"));
    let changed = Tokens::of(&refresh(&gateway, &rita.refresh));
    assert_eq!(
        claims(&changed.access)["roles"],
        serde_json::json!(["auditor"])
    );
    let without_rita: String = users
        .lines()
        .filter(|line| !line.contains("rita:"))
        .map(|line| format!("{line}\n"))
        .collect();
    for text in [
        users.replace("name: Rita Recruiter", "disabled: true"),
        users.replace(
            "name: Rita Recruiter",
            "tokens_valid_after: 2999-01-01T00:00:00Z",
        ),
        without_rita,
    ] {
        let session = tokens(&gateway, "rita");
        change(text.clone());
        assert_refused(&refresh(&gateway, &session.refresh));
        change(users.clone());
        assert_refused(&refresh(&gateway, &session.refresh));
        assert_eq!(me(&gateway, &session), 401, "the session has ended: {text}");
    }
}

#[test]
fn a_session_in_memory_ends_with_the_process() {
    let (_upstream, gateway) = start();
    let before = tokens(&gateway, "rita");
    let gateway = gateway.restart();
    assert_refused(&refresh(&gateway, &before.refresh));
    assert_eq!(gateway.metric("gatelatch_state_up"), 1.0);
}

/// A refresh from an address, as a trusted proxy says.
fn refresh_from(gateway: &Gateway, from: &str, token: &str) -> Answer {
    let body = format!("{{\"refresh_token\":\"{token}\"}}");
    let fields = format!("{JSON}X-Forwarded-For: {from}\r\n");
    post(gateway.address, "/auth/refresh", &fields, &body)
}

#[test]
fn a_stolen_token_is_noticed_at_once_where_it_is_shown_from_another_network() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .server("trusted_proxies: [127.0.0.1]")
        .start();
    // two requests of one client at the same moment, and addresses of one IPv6 network
    for (from, again) in [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff"),
    ] {
        let first = tokens(&gateway, "rita");
        let second = Tokens::of(&refresh_from(&gateway, from, &first.refresh));
        let sibling = Tokens::of(&refresh_from(&gateway, again, &first.refresh));
        // whoever moves on with an unspent token is not taken for a thief
        Tokens::of(&refresh_from(&gateway, "198.51.100.1", &second.refresh));
        assert_eq!(me(&gateway, &sibling), 200);
    }
    let first = tokens(&gateway, "rita");
    let second = Tokens::of(&refresh_from(&gateway, "192.0.2.1", &first.refresh));
    assert_refused(&refresh_from(&gateway, "192.0.2.2", &first.refresh));
    let event = gateway.named_event("refresh_token_reused");
    assert_eq!(event["client_ip"], "192.0.2.2");
    assert_eq!(me(&gateway, &second), 401);
    assert_refused(&refresh_from(&gateway, "192.0.2.1", &second.refresh));
}
