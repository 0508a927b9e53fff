//! Tokens that other libraries make: which ones hold, and what is said about the others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Gateway, SECRET, Upstream, gateway};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
      - { path: /jobs, allow: { roles: [recruiter] } }
";

/// Base64url of JSON, or of bytes that are no JSON.
fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Signs header and payload as they are, with HMAC-SHA-256 built from SHA-256 alone (RFC 2104).
pub fn sign(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", part(header), part(payload));
    let signature = hmac(SECRET.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let pad = |with: u8| {
        (0..64)
            .map(|at| key.get(at).unwrap_or(&0) ^ with)
            .collect::<Vec<u8>>()
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Claims that hold, with changes; `null` takes one away.
fn claims(changes: Value) -> String {
    let now = now();
    let mut claims = json!({ "iss": "gatelatch", "aud": "gatelatch", "sub": "rita", "iat": now, "exp": now + 600 });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims.to_string()
}

/// Status, and the `error_description` of the challenge.
fn try_token(gateway: &Gateway, path: &str, token: &str) -> (u16, String) {
    let answer = gateway.get(path, &format!("Authorization: Bearer {token}\r\n"));
    let challenge = answer.header("www-authenticate").to_owned();
    if answer.status == 401 {
        assert_eq!(
            answer.json()["detail"],
            "Invalid or expired token",
            "{answer:?}"
        );
        assert!(
            challenge.starts_with("Bearer realm=\"gatelatch\", error=\"invalid_token\", "),
            "{challenge}"
        );
    }
    let said = challenge
        .split_once("error_description=\"")
        .map(|(_, said)| said.trim_end_matches('"').to_owned());
    (answer.status, said.unwrap_or_default())
}

#[test]
fn tokens_of_other_libraries_hold() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let now = now();
    for (header, payload) in [
        (HEADER, claims(json!({}))),
        (
            r#"{"typ":"JWT","alg":"HS256"}"#,
            claims(json!({ "aud": ["other", "gatelatch"] })),
        ),
        (r#"{"alg":"HS256"}"#, claims(json!({ "iat": null }))),
        (
            r#"{"alg":"HS256","typ":"at+jwt"}"#,
            claims(json!({ "nbf": now })),
        ),
        (HEADER, claims(json!({ "exp": now - 20, "iat": now - 100 }))),
        (HEADER, claims(json!({ "nbf": now + 20, "iat": now + 20 }))),
        (
            HEADER,
            claims(json!({ "iat": now as f64 - 0.5, "unknown": { "deep": [1, { "a": null }] } })),
        ),
    ] {
        let (status, said) = try_token(&gateway, "/me", &sign(header, &payload));
        assert_eq!(status, 200, "{header} {payload}: {said}");
    }
    assert_eq!(upstream.received()[0].fields("remote-user"), ["rita"]);
}

#[test]
fn a_token_that_is_wrong_in_one_thing_is_refused_and_says_which() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let now = now();
    let good = sign(HEADER, &claims(json!({})));
    let header = |text: &str| sign(text, &claims(json!({})));
    let payload = |changes: Value| sign(HEADER, &claims(changes));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let duplicate = claims(json!({})).replacen('{', r#"{"sub":"carl","#, 1);
    let other = claims(json!({})).replacen('{', r#"{"x":1,"x":2,"#, 1);
    let table = [
        (
            format!("{signed}."),
            "the signature of the token is invalid",
        ),
        (
            format!("{signed}.{}", part("no signature")),
            "the signature of the token is invalid",
        ),
        (
            format!(
                "{signed}.{}",
                URL_SAFE_NO_PAD.encode(hmac(b"another key", signed.as_bytes()))
            ),
            "the signature of the token is invalid",
        ),
        (format!("{good}="), "the signature of the token is invalid"),
        (format!("{good}.{signature}"), "the token is malformed"),
        (signed.to_owned(), "the token is malformed"),
        ("abc".to_owned(), "the token is malformed"),
        (
            format!(
                "{}.{}.",
                part(r#"{"alg":"none"}"#),
                part(&claims(json!({})))
            ),
            "the token is signed with another algorithm",
        ),
        (
            header(r#"{"alg":"none"}"#),
            "the token is signed with another algorithm",
        ),
        (
            header(r#"{"alg":"HS512","typ":"JWT"}"#),
            "the token is signed with another algorithm",
        ),
        (
            header(r#"{"alg":"RS256","typ":"JWT"}"#),
            "the token is signed with another algorithm",
        ),
        (
            header(r#"{"typ":"JWT"}"#),
            "the header of the token is malformed",
        ),
        (
            header(r#"{"alg":"HS256","alg":"HS256"}"#),
            "the header of the token is malformed",
        ),
        (
            header(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#),
            "the token demands an extension that is not supported",
        ),
        (
            header(r#"{"alg":"HS256","b64":false}"#),
            "the token demands an extension that is not supported",
        ),
        (
            header(r#"{"alg":"HS256","kid":"other"}"#),
            "the token names an unknown key",
        ),
        (
            header(r#"{"alg":"HS256","typ":"refresh+jwt"}"#),
            "the token is not an access token",
        ),
        (
            sign(HEADER, &duplicate),
            "the claims of the token are malformed",
        ),
        (
            sign(HEADER, &other),
            "the claims of the token are malformed",
        ),
        (sign(HEADER, "[]"), "the claims of the token are malformed"),
        (
            payload(json!({ "exp": "tomorrow" })),
            "the claims of the token are malformed",
        ),
        (
            payload(json!({ "exp": 1e300 })),
            "the claims of the token are malformed",
        ),
        (
            payload(json!({ "iss": ["gatelatch"] })),
            "the claims of the token are malformed",
        ),
        (
            payload(json!({ "exp": null })),
            "the token lacks one of exp, iss, aud and sub",
        ),
        (
            payload(json!({ "sub": null })),
            "the token lacks one of exp, iss, aud and sub",
        ),
        (
            payload(json!({ "iss": "else" })),
            "the token is from another issuer",
        ),
        (
            payload(json!({ "aud": "else" })),
            "the token is for another audience",
        ),
        (
            payload(json!({ "sub": "" })),
            "the subject of the token is not acceptable",
        ),
        (
            payload(json!({ "sub": "ri\nta" })),
            "the subject of the token is not acceptable",
        ),
        (
            payload(json!({ "exp": now - 40, "iat": now - 100 })),
            "the token has expired",
        ),
        (
            payload(json!({ "nbf": now + 120 })),
            "the token is not valid yet",
        ),
        (
            payload(json!({ "iat": now + 120 })),
            "the token was issued in the future",
        ),
        (
            payload(json!({ "exp": now + 2 * 86_400 })),
            "the token is valid for too long",
        ),
        (
            payload(json!({ "sub": "nobody" })),
            "the token is no longer accepted",
        ),
        (
            payload(json!({ "sub": "gone" })),
            "the token is no longer accepted",
        ),
        (
            payload(json!({ "sub": "Rita" })),
            "the token is no longer accepted",
        ),
    ];
    for (token, expected) in table {
        assert_eq!(
            try_token(&gateway, "/me", &token),
            (401, expected.to_owned()),
            "{token}"
        );
    }
    assert_eq!(
        upstream.received().len(),
        0,
        "none of them reached the service"
    );
    assert_eq!(
        try_token(&gateway, "/me", &good).0,
        200,
        "what they were made from holds"
    );
}

#[test]
fn roles_are_those_of_the_list_and_not_of_the_token() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let token =
        |sub: &str, roles: Value| sign(HEADER, &claims(json!({ "sub": sub, "roles": roles })));
    for (token, expected) in [
        (token("carl", json!(["recruiter", "admin"])), 403),
        (token("carl", json!("recruiter")), 403),
        (token("rita", json!([])), 200),
        (token("rita", json!(7)), 200),
    ] {
        assert_eq!(try_token(&gateway, "/jobs", &token).0, expected);
    }
    assert_eq!(
        upstream.received()[0].fields("remote-groups"),
        ["recruiter"]
    );
}

#[test]
fn a_token_without_its_age_is_refused_where_the_age_counts() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let gateway = builder.start();
    let users = gateway.read("users.yaml");
    gateway.replace(
        "users.yaml",
        &users.replace(
            "name: Rita Recruiter",
            "tokens_valid_after: 2020-01-01T00:00:00Z",
        ),
    );
    gateway.event("configuration reloaded");
    for (changes, expected) in [
        (json!({}), (200, "")),
        (
            json!({ "iat": null }),
            (401, "the token is no longer accepted"),
        ),
    ] {
        let (status, said) = try_token(&gateway, "/me", &sign(HEADER, &claims(changes)));
        assert_eq!((status, said.as_str()), expected);
    }
}

#[test]
fn the_longest_life_and_the_leeway_are_configured() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let longer = format!("secret: \"{SECRET}\", max_lifetime: 7d, leeway: 0s");
    let config = builder
        .config()
        .replace(&format!("secret: \"{SECRET}\""), &longer);
    let gateway = builder.whole(&config).start();
    let now = now();
    for (changes, expected) in [
        (json!({ "exp": now + 6 * 86_400 }), 200),
        (json!({ "exp": now + 8 * 86_400 }), 401),
        (json!({ "exp": now - 10, "iat": now - 100 }), 401),
    ] {
        assert_eq!(
            try_token(&gateway, "/me", &sign(HEADER, &claims(changes.clone()))).0,
            expected,
            "{changes}"
        );
    }
}
