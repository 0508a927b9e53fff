//! What is sent to the token endpoint, and which of its answers are one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatelatch::oidc::{OAuthErrorCode, ProviderError};
use serde_json::{Value, json};

use super::{CLIENT_SECRET, Party, REDIRECT_URI, VERIFIER};
use crate::support::{ScriptedProvider, json_answer, ok};

fn form(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

fn field<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    let mut values = form.iter().filter(|(known, _)| known == name);
    let value = values.next().map_or("", |(_, value)| value);
    assert!(values.next().is_none(), "`{name}` is sent twice");
    value
}

#[test]
fn a_browser_is_sent_with_everything_that_its_answer_is_held_against() {
    let idp = ScriptedProvider::start();
    idp.script().metadata =
        json!({ "authorization_endpoint": format!("{}/authorize?tenant=1", idp.issuer) });
    let party = Party::of(&idp);
    let url = party.begin().unwrap();
    let (before, query) = url.split_once('?').unwrap();
    assert_eq!(before, format!("{}/authorize", idp.issuer));
    let sent = form(query);
    for (name, expected) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "gatelatch"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile email"),
        ("state", "state-1"),
        ("nonce", "nonce-1"),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(field(&sent, name), expected, "{name}");
    }
    assert_eq!(party.sign_in().err(), None);
}

#[test]
fn a_client_authenticates_as_its_provider_asks() {
    let encoded = "gatelatch:a%20client%20secret%20of%2040%20bytes%20%2B%20characters";
    let basic = format!("Basic {}", STANDARD.encode(encoded));
    for (methods, sends_basic) in [
        (Value::Null, true),
        (json!(["client_secret_post", "client_secret_basic"]), true),
        (json!(["client_secret_post", "private_key_jwt"]), false),
    ] {
        let idp = ScriptedProvider::start();
        idp.script().metadata = json!({ "token_endpoint_auth_methods_supported": methods });
        let party = Party::of(&idp);
        assert_eq!(party.sign_in().err(), None);
        let request = idp.received("/token").remove(0);
        let sent = form(&request.body);
        assert_eq!(
            request.fields("content-type"),
            ["application/x-www-form-urlencoded"]
        );
        assert_eq!(field(&sent, "grant_type"), "authorization_code");
        assert_eq!(field(&sent, "redirect_uri"), REDIRECT_URI);
        assert_eq!(field(&sent, "code_verifier"), VERIFIER);
        if sends_basic {
            assert_eq!(request.fields("authorization"), [basic.as_str()]);
            assert_eq!(field(&sent, "client_secret"), "");
        } else {
            assert!(request.fields("authorization").is_empty());
            assert_eq!(field(&sent, "client_id"), "gatelatch");
            assert_eq!(field(&sent, "client_secret"), CLIENT_SECRET);
        }
    }
}

#[test]
fn a_client_with_a_key_signs_for_this_token_endpoint_alone() {
    let idp = ScriptedProvider::start();
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/p256.pem");
    let party = Party::unready(&idp, &format!(", private_key_file: \"{key}\", kid: k1"));
    crate::support::until("the provider is known", || party.begin().is_ok());
    assert_eq!(party.sign_in().err(), None);
    assert_eq!(party.sign_in().err(), None);
    let sent: Vec<_> = idp
        .received("/token")
        .iter()
        .map(|request| form(&request.body))
        .collect();
    let part = |index: usize, part: usize| -> Value {
        let assertion = field(&sent[index], "client_assertion").to_owned();
        let part = assertion.split('.').nth(part).unwrap().to_owned();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = (part(0, 0), part(0, 1));
    assert_eq!(
        (&header["alg"], &header["kid"]),
        (&json!("ES256"), &json!("k1"))
    );
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("gatelatch"), &json!("gatelatch"))
    );
    assert_eq!(claims["aud"], format!("{}/token", idp.issuer));
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        60
    );
    assert_ne!(claims["jti"], part(1, 1)["jti"]);
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(field(&sent[0], "client_assertion_type"), kind);
}

#[test]
fn a_public_client_names_itself_and_proves_the_code() {
    let idp = ScriptedProvider::start();
    let party = Party::unready(&idp, "");
    crate::support::until("the provider is known", || party.begin().is_ok());
    assert_eq!(party.sign_in().err(), None);
    let request = idp.received("/token").remove(0);
    assert!(request.fields("authorization").is_empty());
    assert_eq!(field(&form(&request.body), "client_id"), "gatelatch");
    // the provider of this test holds the verifier against the challenge, and a code is good once
    let query = party.visit();
    assert_eq!(party.redeem(&query).err(), None);
    let refused = ProviderError::Refused(OAuthErrorCode::InvalidGrant);
    assert_eq!(party.redeem(&query).err(), Some(refused));
}

#[test]
fn the_answer_of_another_provider_is_not_redeemed() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    idp.script().callback = json!({ "iss": "https://attacker.example.com" });
    assert!(
        party
            .refusal()
            .contains("the answer of another issuer (`iss`)")
    );
    // the metadata say that it is always there
    idp.script().callback = json!({ "iss": null });
    assert!(party.refusal().contains("does not name its issuer"));
    idp.script().callback = json!({ "code": null, "error": "access_denied" });
    let denied = ProviderError::Denied(OAuthErrorCode::AccessDenied);
    assert_eq!(party.sign_in().err(), Some(denied));
    assert!(idp.received("/token").is_empty(), "no code has left");
    let silent = ScriptedProvider::start();
    silent.script().metadata = json!({ "authorization_response_iss_parameter_supported": null });
    silent.script().callback = json!({ "iss": null });
    assert_eq!(Party::of(&silent).sign_in().err(), None);
}

#[test]
fn an_answer_that_is_none_signs_nobody_in() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let moved = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}/userinfo\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        idp.issuer
    );
    let large = json!({ "id_token": "x".repeat(1024 * 1024) });
    for (answer, expected) in [
        (ok("<html>"), "not an object of `application/json`"),
        (
            ok(r#"{"id_token":"a.b.c"}"#),
            "not an object of `application/json`",
        ),
        (
            json_answer(200, &json!([])),
            "not an object of `application/json`",
        ),
        (json_answer(200, &large), "has more than 1024 KiB"),
        (
            json_answer(201, &json!({ "id_token": "a.b.c" })),
            "answered 201",
        ),
        (moved.into_bytes(), "redirects are not followed"),
        (
            json_answer(503, &json!({ "error": "invalid_grant" })),
            "answered 503",
        ),
        (
            json_answer(200, &json!({ "id_token": "a.b.c", "token_type": "mac" })),
            "`token_type`",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
                .to_vec(),
            "no answer within 10s",
        ),
    ] {
        idp.script().answers.insert("/token".to_owned(), answer);
        let outcome = party.sign_in().unwrap_err();
        assert!(
            matches!(outcome, ProviderError::Unavailable(_)),
            "{outcome:?}"
        );
        assert!(outcome.to_string().contains(expected), "{outcome}");
    }
    let none = json_answer(200, &json!({ "access_token": "a", "token_type": "Bearer" }));
    idp.script().answers.insert("/token".to_owned(), none);
    assert!(
        party
            .refusal()
            .contains("ID token: there is none; `openid`")
    );
    let refused = json_answer(
        401,
        &json!({ "error": "invalid_client", "error_description": "no" }),
    );
    idp.script().answers.insert("/token".to_owned(), refused);
    let refused = ProviderError::Refused(OAuthErrorCode::InvalidClient);
    assert_eq!(party.sign_in().err(), Some(refused));
    assert!(
        idp.received("/userinfo").is_empty(),
        "no redirect was followed"
    );
}

#[test]
fn lives_of_tokens_may_be_anything() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    for life in [
        json!("3600"),
        json!(-1),
        json!(null),
        json!("soon"),
        json!(1.5),
    ] {
        idp.script().tokens = json!({ "expires_in": life });
        assert_eq!(party.sign_in().err(), None, "{life}");
    }
}
