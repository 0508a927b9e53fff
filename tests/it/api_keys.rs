//! API keys of programs: where they may stand, whose roles they have, and that nobody else sees them.

use sha2::{Digest, Sha256};

use crate::support::{Gateway, Upstream, gateway, hash, post, send, tokens};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /public, allow: anyone }
      - { path: /deploy, allow: { roles: [deployer] } }
      - { path: /jobs, allow: { roles: [recruiter] } }
  forwarding:
    path: /forwarding
    upstream: http://UPSTREAM
    identity: { authorization: forward }
    rules: [ { path: /forwarding/**, allow: authenticated } ]
";

/// A key of one letter.
pub fn key(letter: char) -> String {
    // the last character carries four bits, of which two must be zero
    format!("glk_{}A", letter.to_string().repeat(42))
}

pub fn digest(key: &str) -> String {
    let hex: String = Sha256::digest(key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

fn users() -> String {
    let entry = |letter, more: &str| {
        format!(
            "{{ name: key-{letter}, hash: \"{}\"{more} }}",
            digest(&key(letter))
        )
    };
    format!(
        "users:
  rita:
    password: {}
    roles: [recruiter]
    name: Rita Recruiter
    api_keys:
      - {}
      - {}
      - {}
      - {}
  gone: {{ disabled: true, roles: [recruiter], api_keys: [ {} ] }}
",
        hash(),
        entry('a', ""),
        entry('b', ", roles: [deployer], expires: 2999-01-01"),
        entry('c', ", expires: 2020-01-01"),
        entry('d', ", roles: []"),
        entry('e', ""),
    )
}

fn start(upstream: &Upstream) -> Gateway {
    gateway(SERVICES)
        .users(&users())
        .upstream(upstream.address)
        .start()
}

fn at(field: &str, key: &str) -> String {
    format!("{field}{key}\r\n")
}

const BEARER: &str = "Authorization: Bearer ";
const API_KEY: &str = "X-Api-Key: ";

#[test]
fn a_key_counts_as_its_user_with_its_own_roles() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for field in [BEARER, API_KEY] {
        for (letter, path, expected) in [
            ('a', "/jobs", 200),
            ('a', "/deploy", 403),
            ('b', "/deploy", 200),
            ('b', "/jobs", 403),
            ('d', "/me", 200),
            ('d', "/jobs", 403),
            ('c', "/me", 401),
            ('e', "/me", 401),
            ('x', "/me", 401),
        ] {
            assert_eq!(
                gateway.get(path, &at(field, &key(letter))).status,
                expected,
                "{field}{letter} {path}"
            );
        }
    }
    let received = upstream.received();
    assert_eq!(
        (
            received[0].fields("remote-user"),
            received[0].fields("remote-groups")
        ),
        (vec!["rita"], vec!["recruiter"])
    );
    assert_eq!(
        (
            received[1].fields("remote-user"),
            received[1].fields("remote-groups")
        ),
        (vec!["rita"], vec!["deployer"])
    );
    let refused = gateway.get("/me", &at(API_KEY, &key('x')));
    assert_eq!(refused.json()["detail"], "Invalid or expired token");
    assert!(
        refused
            .header("www-authenticate")
            .ends_with("error_description=\"the API key is not accepted\"")
    );
    assert_eq!(
        gateway.metric(r#"gatelatch_token_refusals_total{reason="api_key"}"#),
        3.0
    );
    assert_eq!(
        gateway.metric(r#"gatelatch_token_refusals_total{reason="expired"}"#),
        2.0
    );
    let me = gateway.get("/auth/me", &at(API_KEY, &key('a'))).json();
    assert_eq!((me["sub"].as_str(), me.get("exp")), (Some("rita"), None));
    assert!(gateway.get("/auth/me", &at(API_KEY, &key('b'))).json()["exp"].is_u64());
}

#[test]
fn a_key_never_reaches_the_service_and_foreign_ones_do() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for (path, fields) in [
        ("/me", at(BEARER, &key('a'))),
        ("/me", at(API_KEY, &key('a'))),
        // a bad key of ours is of no use to anybody either
        ("/public", at(API_KEY, &key('x'))),
        ("/public", at(BEARER, &key('c'))),
        ("/forwarding/x", at(BEARER, &key('a'))),
        ("/forwarding/x", at(API_KEY, &key('a'))),
    ] {
        assert_eq!(gateway.get(path, &fields).status, 200, "{path} {fields}");
    }
    assert!(
        upstream
            .received()
            .iter()
            .all(|request| !request.head.contains("glk_")),
        "{:#?}",
        upstream.received()
    );
    let before = upstream.received().len();
    assert_eq!(
        gateway
            .get(
                "/me",
                &(at(BEARER, &key('a')) + "X-Api-Key: of-the-service\r\n")
            )
            .status,
        200
    );
    assert_eq!(
        gateway
            .get(
                "/public",
                "X-Api-Key: of-the-service\r\nX-Api-Key: another\r\n"
            )
            .status,
        200
    );
    assert_eq!(
        gateway.get("/me", "X-Api-Key: of-the-service\r\n").status,
        401
    );
    assert_eq!(
        gateway
            .get(
                "/me",
                &(at(API_KEY, &key('a')) + "Authorization: Basic eDp5\r\n")
            )
            .status,
        200
    );
    let received = &upstream.received()[before..];
    assert_eq!(received[0].fields("x-api-key"), ["of-the-service"]);
    assert_eq!(
        received[1].fields("x-api-key"),
        ["of-the-service", "another"]
    );
    assert_eq!(
        (
            received[2].fields("authorization"),
            received[2].fields("x-api-key")
        ),
        (vec!["Basic eDp5"], vec![])
    );
    assert!(!gateway.printed().contains("glk_"));
}

#[test]
fn two_credentials_are_one_too_many() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for fields in [
        at(BEARER, &key('a')) + &at(API_KEY, &key('a')),
        gateway.bearer("rita") + &at(API_KEY, &key('a')),
        at(API_KEY, &key('a')) + &at(API_KEY, &key('a')),
        at(API_KEY, "other") + &at(API_KEY, &key('a')),
    ] {
        let answer = gateway.get("/public", &fields);
        assert_eq!(answer.status, 400, "{fields}");
        assert_eq!(
            answer.json()["detail"],
            "the request has an `X-Api-Key` and another credential"
        );
    }
    assert_eq!(upstream.received().len(), 0);
}

#[test]
fn a_key_is_no_session_that_could_be_logged_out() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    for field in [BEARER, API_KEY] {
        let answer = post(gateway.address, "/auth/logout", &at(field, &key('a')), "");
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(
            answer.json()["detail"],
            "The credential belongs to no session of this gateway"
        );
        assert_eq!(gateway.get("/jobs", &at(field, &key('a'))).status, 200);
    }
    // the session of a refresh token can be, whoever asks for it
    let rita = tokens(&gateway, "rita");
    let fields = at(API_KEY, &key('a')) + "Content-Type: application/json\r\n";
    let body = format!("{{\"refresh_token\":\"{}\"}}", rita.refresh);
    assert_eq!(
        post(gateway.address, "/auth/logout", &fields, &body).status,
        204
    );
    assert_eq!(gateway.get("/jobs", &rita.bearer()).status, 401);
    assert_eq!(gateway.get("/jobs", &at(API_KEY, &key('a'))).status, 200);
}

#[test]
fn a_key_ends_with_the_next_user_list() {
    let upstream = Upstream::saying("hi");
    let gateway = start(&upstream);
    assert_eq!(gateway.get("/jobs", &at(API_KEY, &key('a'))).status, 200);
    gateway.replace(
        "users.yaml",
        &users().replace(
            "roles: [recruiter]\n",
            "roles: [recruiter]\n    disabled: true\n",
        ),
    );
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/jobs", &at(API_KEY, &key('a'))).status, 401);
    gateway.replace("users.yaml", "users: { rita: { roles: [recruiter] } }");
    gateway.event("configuration reloaded");
    let over_h1 = |field: &str| {
        send(
            gateway.address,
            format!(
                "GET /jobs HTTP/1.1\r\nHost: a\r\n{}\r\n",
                at(field, &key('a'))
            ),
        )
        .status
    };
    assert_eq!((over_h1(BEARER), over_h1(API_KEY)), (401, 401));
}
