//! Tokens as issuers in the wild make them: large ones, claims of any type, other places for audience and subject.

use serde_json::{Value, json};

use super::{Command, ISSUER, SERVICES, ask, file, now, status, token, trusting};
use crate::support::{Gateway, SECRET, Upstream, gateway};
use crate::tokens::sign;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// An issuer that signs with the secret of the tests.
fn entry(audience: &str, more: &str) -> String {
    format!(
        "{{ issuer: \"{ISSUER}\", secret: \"{SECRET}\", audience: {audience}, algorithms: [HS256]{more} }}"
    )
}

/// Claims that hold, with changes; what changes to the text `absent` is taken away.
fn claims(changes: Value) -> String {
    let mut claims =
        json!({ "iss": ISSUER, "aud": "api", "sub": "walter", "iat": now(), "exp": now() + 600 });
    for (name, value) in changes.as_object().unwrap() {
        if value == "absent" {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims.to_string()
}

fn bearer(changes: Value) -> String {
    sign(HEADER, &claims(changes))
}

/// Microsoft Entra puts up to 200 groups of 36 characters into a token.
#[test]
fn a_token_of_two_hundred_groups_is_accepted() {
    let upstream = Upstream::saying("hi");
    let issuer = format!(
        "{{ issuer: \"{ISSUER}\", public_key_file: \"{}\", audience: api, algorithms: [RS256], roles_claim: groups }}",
        file("rsa.pub.pem")
    );
    let gateway = trusting(&upstream, &issuer).workers(1).start();
    let mut groups: Vec<String> = (0..200)
        .map(|number| format!("{number:08x}-5a1c-4d6e-9b7f-0123456789ab"))
        .collect();
    groups[150] = "recruiter".to_owned();
    let claims =
        json!({ "groups": groups, "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47", "ver": "2.0" });
    let large = token(&super::rsa("a"), ISSUER, claims);
    assert!(large.len() > 10_900, "{} bytes", large.len());
    // the second time it is remembered
    for _ in 0..2 {
        assert_eq!(ask(&gateway, "/jobs", &large), (200, String::new()));
    }
    let told = upstream.received().remove(0);
    assert_eq!(told.fields("remote-groups")[0].split(',').count(), 200);
    let (head, damaged) = large.split_at(large.len() - 4);
    assert_eq!(
        status(&gateway, "/jobs", &format!("{head}{}AA", &damaged[2..])),
        401
    );
    let larger = format!("Authorization: Bearer {}\r\n", "x".repeat(33 << 10));
    assert_eq!(gateway.get("/jobs", &larger).status, 431);
}

#[test]
fn claims_that_mean_nothing_here_may_be_of_any_type() {
    let upstream = Upstream::saying("hi");
    let gateway = trusting(&upstream, &entry("[api]", "")).start();
    for (name, value) in [
        ("auth_time", json!("2026-11-30T14:52:01.180Z")),
        ("auth_time", json!(null)),
        ("auth_time", json!([1])),
        ("sid", json!(17)),
        ("sid", json!({ "id": 1 })),
        ("jti", json!(5)),
        ("nonce", json!([])),
        ("name", json!(7)),
        ("email", json!({})),
        ("roles", json!({ "a": 1 })),
        ("client_id", json!(3.5)),
        ("exp_at", json!(-1)),
    ] {
        let token = bearer(json!({ name: value }));
        assert_eq!(ask(&gateway, "/me", &token), (200, String::new()), "{name}");
    }
}

fn inspect(gateway: &Gateway, token: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["token", "inspect", token, "--config"])
        .arg(gateway.path("gateway.yaml"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_reason_is_that_of_the_issuer_that_a_token_names() {
    let upstream = Upstream::saying("hi");
    let gateway = trusting(&upstream, &entry("[api]", "")).start();
    let good = bearer(json!({}));
    let malformed = "the claims of the token are malformed";
    let twice = claims(json!({})).replace('{', "{\"jti\":1,\"jti\":1,");
    for (token, expected) in [
        (bearer(json!({ "sub": 42 })), malformed),
        (bearer(json!({ "sub": null })), malformed),
        (bearer(json!({ "exp": "soon" })), malformed),
        (bearer(json!({ "nbf": null })), malformed),
        (bearer(json!({ "iat": [1] })), malformed),
        (bearer(json!({ "aud": 7 })), malformed),
        (bearer(json!({ "aud": ["api", 7] })), malformed),
        (sign(HEADER, &twice), malformed),
        (
            bearer(json!({ "exp": "absent" })),
            "the token lacks one of exp, iss, aud and sub",
        ),
        (
            bearer(json!({ "sub": "absent" })),
            "the token lacks one of exp, iss, aud and sub",
        ),
        (
            bearer(json!({ "aud": "other" })),
            "the token is for another audience",
        ),
        (
            bearer(json!({ "exp": now() - 60 })),
            "the token has expired",
        ),
        (
            sign(r#"{"alg":"RS256"}"#, &claims(json!({ "sub": 42 }))),
            "the token is signed with another algorithm",
        ),
        (
            sign(r#"{"alg":"HS256","typ":"dpop+jwt"}"#, &claims(json!({}))),
            "the token is not an access token",
        ),
        (
            format!("{}AAAA", &good[..good.len() - 4]),
            "the signature of the token is invalid",
        ),
        (
            bearer(json!({ "iss": "https://idp.example.com" })),
            "the token is from another issuer",
        ),
    ] {
        assert_eq!(ask(&gateway, "/me", &token), (401, expected.to_owned()));
        let text = inspect(&gateway, &token);
        let line = format!("token of a trusted issuer: {expected}\n");
        let is_foreign = expected != "the token is from another issuer";
        assert_eq!(text.contains(&line), is_foreign, "{text}");
    }
    assert_eq!(status(&gateway, "/me", &good), 200);
    assert!(inspect(&gateway, &good).ends_with("ok      token of a trusted issuer\n"));
}

/// As Cognito's access tokens, and those for clients alone.
#[test]
fn audience_and_subject_are_where_the_issuer_has_them() {
    let upstream = Upstream::saying("hi");
    let issuer = entry(
        "{ claim: client_id, one_of: [abc, def] }",
        ", subject: act.client, roles_claim: 'cognito.\"my.groups\"'",
    );
    let gateway = trusting(&upstream, &issuer).start();
    let with = |changes: Value| {
        let mut all = json!({
            "aud": "absent", "sub": "absent", "client_id": "abc", "act": { "client": "job runner" },
            "cognito": { "my.groups": ["recruiter"] }
        });
        let all_members = all.as_object_mut().unwrap();
        all_members.extend(changes.as_object().unwrap().clone());
        bearer(all)
    };
    assert_eq!(
        ask(&gateway, "/jobs", &with(json!({}))),
        (200, String::new())
    );
    let told = upstream.received().remove(0);
    assert_eq!(told.fields("remote-user"), ["job runner"]);
    // what the configuration does not read may be anything
    for odd in [
        json!({ "sub": 42, "aud": 7 }),
        json!({ "client_id": ["x", "def"] }),
    ] {
        assert_eq!(status(&gateway, "/jobs", &with(odd)), 200);
    }
    let missing = "the token lacks the claim that its audience or subject is read from";
    for (changes, expected) in [
        (
            json!({ "client_id": "other" }),
            "the token is for another audience",
        ),
        (json!({ "client_id": "absent", "aud": "abc" }), missing),
        (json!({ "act": { "sub": "x" }, "sub": "x" }), missing),
        (
            json!({ "act": { "client": 7 } }),
            "the claims of the token are malformed",
        ),
        (
            json!({ "act": { "client": "" } }),
            "the subject of the token is not acceptable",
        ),
    ] {
        assert_eq!(
            ask(&gateway, "/me", &with(changes)),
            (401, expected.to_owned())
        );
    }
}

#[test]
fn a_subject_of_another_issuer_may_have_blanks_and_be_long() {
    let upstream = Upstream::saying("hi");
    let gateway = trusting(&upstream, &entry("api", "")).start();
    let long = "x".repeat(3000);
    for (subject, header) in [
        ("repo:octo/app:environment:Production EU", None),
        ("CN=svc build, O=Acme", None),
        (&long, None),
        (
            "山田\u{3000}太郎",
            Some("%E5%B1%B1%E7%94%B0%E3%80%80%E5%A4%AA%E9%83%8E"),
        ),
    ] {
        let token = bearer(json!({ "sub": subject }));
        assert_eq!(ask(&gateway, "/me", &token), (200, String::new()));
        let told = upstream.received().pop().unwrap();
        assert_eq!(told.fields("remote-user"), [header.unwrap_or(subject)]);
    }
    let refused = (401, "the subject of the token is not acceptable".to_owned());
    for subject in [
        "",
        " walter",
        "walter ",
        "a\tb",
        "a\nb",
        "a\u{200b}b",
        "\u{202e}a",
    ] {
        let token = bearer(json!({ "sub": subject }));
        assert_eq!(ask(&gateway, "/me", &token), refused, "{subject:?}");
    }
    // names of the user list are as strict as there
    let users = trusting(&upstream, &entry("api", ", users: true")).start();
    let long = "x".repeat(256);
    for subject in ["Rita Smith", &long] {
        let token = bearer(json!({ "sub": subject }));
        assert_eq!(ask(&users, "/me", &token), refused, "{subject:?}");
    }
}

/// Cloudflare Access has tokens of a month; the gateway's own stay as short as they are.
#[test]
fn each_issuer_has_a_bound_and_a_leeway_of_its_own() {
    let upstream = Upstream::saying("hi");
    let other = entry("api", "").replace(ISSUER, "https://other.example.com/");
    let patient = entry("api", ", max_lifetime: 31d, leeway: 5m");
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("trusted_issuers: [ {patient}, {other} ]"))
        .start();
    let month = json!({ "exp": now() + 30 * 86_400 });
    let late = json!({ "iat": now() - 600, "exp": now() - 120 });
    let with = |changes: &Value, issuer: &str| {
        let mut changes = changes.clone();
        changes["iss"] = issuer.into();
        bearer(changes)
    };
    for changes in [&month, &late] {
        assert_eq!(status(&gateway, "/me", &with(changes, ISSUER)), 200);
    }
    for (changes, expected) in [
        (&month, "the token is valid for too long"),
        (&late, "the token has expired"),
    ] {
        let token = with(changes, "https://other.example.com/");
        assert_eq!(ask(&gateway, "/me", &token), (401, expected.to_owned()));
        let mut own = changes.clone();
        own["iss"] = "gatelatch".into();
        own["aud"] = "gatelatch".into();
        own["sub"] = "rita".into();
        assert_eq!(
            ask(&gateway, "/me", &bearer(own)),
            (401, expected.to_owned())
        );
    }
}
