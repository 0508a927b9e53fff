//! Metadata: found, held against the issuer, kept through an outage.

use gatelatch::oidc::{ProviderError, probe};
use serde_json::{Value, json};
use std::time::Duration;

use super::{Party, settings};
use crate::support::{Authority, ScriptedProvider, gateway, json_answer, ok, until};
use crate::trusted_issuers::serve_over_tls;

const METADATA: &str = "/.well-known/openid-configuration";

/// Why a provider is of no use whose metadata are changed so, or are this answer.
fn failure(change: impl FnOnce(&ScriptedProvider)) -> String {
    let idp = ScriptedProvider::start();
    change(&idp);
    let party = Party::unready(&idp, "");
    until("the metadata were requested", || {
        party.provider.failure().is_some()
    });
    assert!(matches!(party.begin(), Err(ProviderError::Unavailable(_))));
    party.provider.failure().unwrap()
}

#[test]
fn metadata_that_lead_elsewhere_are_refused() {
    for (changes, expected) in [
        (
            json!({ "issuer": "https://idp.example.com" }),
            "the metadata are those of the issuer",
        ),
        (json!({ "issuer": null }), "not metadata with"),
        (
            json!({ "token_endpoint": "http://idp.example.com/token" }),
            "`token_endpoint` is not `https://`",
        ),
        (
            json!({ "jwks_uri": "http://idp.example.com/keys" }),
            "`jwks_uri` is not `https://`",
        ),
        (
            json!({ "userinfo_endpoint": "http://idp.example.com/u" }),
            "`userinfo_endpoint` is not `https://`",
        ),
        (
            json!({ "authorization_endpoint": "http://idp.example.com/a" }),
            "`authorization_endpoint` is not `https://`",
        ),
        (
            json!({ "authorization_endpoint": "javascript:alert(1)" }),
            "`authorization_endpoint` is not a URL",
        ),
        (
            json!({ "end_session_endpoint": "https://user:pw@idp.example.com/" }),
            "`end_session_endpoint` is a URL with a user name",
        ),
        (json!({ "token_endpoint": null }), "not metadata with"),
        (json!({ "jwks_uri": 7 }), "not metadata with"),
    ] {
        let said = failure(|idp| idp.script().metadata = changes.clone());
        assert!(said.contains(expected), "{changes}: {said}");
    }
}

#[test]
fn garbage_is_no_metadata() {
    let large = json!({ "x": "x".repeat(1024 * 1024) });
    let moved = b"HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n".to_vec();
    for (answer, expected) in [
        (ok("<html>"), "not metadata with"),
        (ok("[]"), "not metadata with"),
        (json_answer(200, &large), "has more than 256 KiB"),
        (json_answer(500, &json!({})), "answered 500"),
        (moved, "redirects are not followed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "no HTTP answer"),
        (Vec::new(), "no HTTP answer"),
    ] {
        let said = failure(|idp| {
            idp.script().answers.insert(METADATA.to_owned(), answer);
        });
        assert!(said.contains(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_provider_of_oauth_metadata_is_found_too() {
    let idp = ScriptedProvider::start();
    let at = |path: &str| format!("{}{path}", idp.issuer);
    let metadata = json!({
        "issuer": idp.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
    });
    let mut script = idp.script();
    script
        .answers
        .insert(METADATA.to_owned(), json_answer(404, &json!({})));
    script.answers.insert(
        "/.well-known/oauth-authorization-server".to_owned(),
        json_answer(200, &metadata),
    );
    drop(script);
    assert_eq!(Party::of(&idp).sign_in().err(), None);
}

#[test]
fn endpoints_that_are_given_need_no_metadata() {
    let idp = ScriptedProvider::start();
    let at = |path: &str| format!("{}{path}", idp.issuer);
    idp.script()
        .answers
        .insert(METADATA.to_owned(), json_answer(404, &json!({})));
    let given = format!(
        ", endpoints: {{ authorization: \"{}\", token: \"{}\", jwks: \"{}\", client_authentication: client_secret_post }}",
        at("/authorize"),
        at("/token"),
        at("/keys")
    );
    let party = Party::with(&idp, &given);
    assert_eq!(party.sign_in().err(), None);
    assert!(idp.received(METADATA).is_empty());
    assert!(idp.received("/token")[0].body.contains("client_secret="));
    assert_eq!(party.provider.end_session_url(None, "https://a", "s"), None);
}

/// What is known stays in use, and a provider that was away is found soon after somebody wants it.
#[test]
fn a_provider_may_be_away_at_any_time() {
    let idp = ScriptedProvider::start();
    idp.script()
        .answers
        .insert(METADATA.to_owned(), json_answer(503, &json!({})));
    let party = Party::unready(&idp, "");
    until("the metadata were requested", || {
        party.provider.failure().is_some()
    });
    let Err(ProviderError::Unavailable(reason)) = party.begin() else {
        panic!("nothing is known of it");
    };
    assert!(reason.contains("answered 503"), "{reason}");
    idp.script().answers.clear();
    until("the provider is known", || party.begin().is_ok());
    assert_eq!(party.provider.failure(), None);
    // while its keys are away, nobody waits for ever
    idp.script()
        .answers
        .insert("/keys".to_owned(), json_answer(503, &json!({})));
    let cold = Party::unready(&idp, "");
    until("the provider is known", || cold.begin().is_ok());
    let outcome = cold.sign_in().unwrap_err();
    assert_eq!(
        outcome,
        ProviderError::Unavailable("its keys cannot be had".to_owned())
    );
    idp.script().answers.clear();
    until("the keys are fetched", || cold.sign_in().is_ok());
}

#[test]
fn a_probe_says_what_is_missing() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let probe = |issuer: &str| {
        let settings = settings(issuer, "");
        party.run(probe(&settings, Duration::from_secs(10)))
    };
    assert_eq!(probe(&idp.issuer), Ok(()));
    let said = |answer: Vec<u8>, path: &str| {
        idp.script().answers.insert(path.to_owned(), answer);
        let said = probe(&idp.issuer).unwrap_err();
        idp.script().answers.clear();
        said
    };
    let keys: Value = json!({ "keys": [] });
    assert!(said(json_answer(200, &keys), "/keys").starts_with("its keys cannot be had: "));
    assert!(said(json_answer(404, &json!({})), "/keys").contains("answered 404"));
    assert!(
        said(json_answer(404, &json!({})), METADATA).starts_with("its metadata cannot be had: ")
    );
}

/// Two entries of one issuer, and a reload that keeps the issuer, share what is known of it.
#[test]
fn what_is_known_of_an_issuer_is_known_under_every_name() {
    let idp = ScriptedProvider::start();
    let mut party = Party::of(&idp);
    party.sign_in().unwrap();
    idp.script()
        .answers
        .insert(METADATA.to_owned(), json_answer(503, &json!({})));
    let former = party.provider.clone();
    party.reload(", title: Another, scopes: [openid], client_secret: \"${SECRET}\"");
    assert!(party.begin().unwrap().contains("scope=openid&"));
    assert_eq!(party.sign_in().err(), None);
    assert_eq!(former.settings().title, "corp");
    assert_eq!(idp.received(METADATA).len(), 1);
}

#[test]
fn a_server_with_another_certificate_is_not_the_provider() {
    let authority = Authority::new("internal");
    let address = serve_over_tls(&authority.issue(&["127.0.0.1"]), |address, _| {
        let at = |path: &str| format!("https://{address}{path}");
        json!({
            "issuer": at(""), "jwks_uri": at("/keys"), "keys": [],
            "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        })
        .to_string()
    });
    let folder = tempfile::tempdir().unwrap();
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    for (authority, expected) in [
        (&authority, "its keys cannot be had: "),
        (&Authority::new("another"), "no TLS connection: "),
    ] {
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate()).unwrap();
        let settings = settings(
            &format!("https://{address}"),
            &format!(", ca: \"{}\"", ca.display()),
        );
        let said = party
            .run(probe(&settings, Duration::from_secs(10)))
            .unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn check_says_which_provider_nobody_can_sign_in_with() {
    let (good, bad) = (ScriptedProvider::start(), ScriptedProvider::start());
    bad.script().metadata = json!({ "issuer": "https://idp.example.com" });
    let providers = format!(
        "providers: [ {{ name: good, issuer: \"{}\", client_id: a }}, {{ name: bad, issuer: \"{}\", client_id: a }} ]",
        good.issuer, bad.issuer
    );
    let upstream = crate::support::Upstream::saying("hi");
    let gateway =
        gateway("\n  app: { upstream: http://UPSTREAM, rules: [ { path: /, allow: anyone } ] }\n")
            .upstream(upstream.address)
            .auth(&providers)
            .start();
    let event = gateway.named_event("provider_failed");
    assert_eq!(event["issuer"], bad.issuer);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["check", "--probe", "--timeout", "10s", "--config"])
        .arg(gateway.path("gateway.yaml"))
        .output()
        .unwrap();
    let [said, summary] =
        [output.stderr, output.stdout].map(|text| String::from_utf8(text).unwrap());
    assert!(
        summary.ends_with(", 1 of 1 server answering, 1 of 2 providers answering\n"),
        "{summary}"
    );
    let expected = "warning[unreachable-provider]: nobody can sign in with the provider `bad`: its metadata cannot be had: ";
    assert!(
        said.contains(expected) && said.contains("gateway.yaml:"),
        "{said}"
    );
    assert!(!said.contains("sign in with the provider `good`"), "{said}");
}
