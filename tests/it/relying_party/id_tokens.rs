//! What an ID token must say, and who must have signed it.

use gatelatch::token::{Algorithm, Key};
use serde_json::{Value, json};

use super::{CLIENT_SECRET, Party};
use crate::support::{ScriptedProvider, ScriptedSigner, json_answer, provider_key};

/// What is said where the claims of the ID token are changed so; `None`: it is believed.
fn said(changes: Value) -> Option<String> {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    idp.script().claims = changes;
    party.sign_in().err().map(|error| error.to_string())
}

fn assert_said(changes: Value, expected: &str) {
    let said = said(changes.clone()).unwrap_or_default();
    assert!(
        said.starts_with("not believed: ID token: "),
        "{changes}: {said}"
    );
    assert!(said.contains(expected), "{changes}: {said}");
}

#[test]
fn azp_is_this_client_and_must_be_there_where_there_are_several() {
    for (changes, expected) in [
        (json!({ "azp": "other" }), "`azp` names another client"),
        (
            json!({ "aud": ["gatelatch", "api"], "azp": "api" }),
            "`azp` names another client",
        ),
        (
            json!({ "aud": ["gatelatch", "api"] }),
            "`aud` names several parties",
        ),
        (json!({ "azp": 7 }), "malformed"),
    ] {
        assert_said(changes, expected);
    }
    for changes in [
        json!({ "azp": "gatelatch" }),
        json!({ "aud": ["gatelatch"] }),
        json!({ "aud": ["api", "gatelatch"], "azp": "gatelatch" }),
    ] {
        assert_eq!(said(changes.clone()), None, "{changes}");
    }
}

#[test]
fn a_token_for_another_client_or_from_another_issuer_is_not_believed() {
    for (changes, expected) in [
        (json!({ "aud": "other" }), "`aud` does not name this client"),
        (
            json!({ "aud": ["other", "gatelatch-2"] }),
            "`aud` does not name this client",
        ),
        (json!({ "aud": [] }), "`aud` does not name this client"),
        (json!({ "aud": null }), "lacks one of"),
        (json!({ "aud": 7 }), "malformed"),
        (
            json!({ "iss": "https://idp.example.com" }),
            "`iss` is not the issuer",
        ),
        (json!({ "iss": null }), "`iss` is not the issuer"),
        (json!({ "iss": ["https://idp.example.com"] }), "malformed"),
    ] {
        assert_said(changes, expected);
    }
}

#[test]
fn a_token_beside_another_access_token_is_not_believed() {
    assert_said(json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "`at_hash`");
    assert_said(json!({ "at_hash": "" }), "`at_hash`");
    assert_said(json!({ "at_hash": 7 }), "malformed");
    // it need not be there
    assert_eq!(said(json!({ "at_hash": null })), None);
}

#[test]
fn a_token_of_another_sign_in_is_not_believed() {
    for nonce in [json!("nonce-2"), json!("nonce-"), json!(""), json!(null)] {
        assert_said(
            json!({ "nonce": nonce }),
            "`nonce` is not that of this sign-in",
        );
    }
    assert_said(json!({ "nonce": ["nonce-1"] }), "malformed");
}

#[test]
fn a_token_names_somebody() {
    let long = "a".repeat(256);
    for sub in [
        json!(""),
        json!(null),
        json!(" a"),
        json!("a\u{200b}"),
        json!("a\nb"),
        json!(long),
    ] {
        assert_said(json!({ "sub": sub }), "`sub`");
    }
    assert_said(json!({ "sub": 7 }), "malformed");
    assert_eq!(said(json!({ "sub": "a".repeat(255) })), None);
}

/// Both clocks agree but for `leeway`, 30 s unless it is configured, and an ID token is of the last ten minutes.
#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let idp = ScriptedProvider::start();
    let mut party = Party::of(&idp);
    // exp is 300 s after iat
    for (clock, expected) in [
        (0, ""),
        (-25, ""),
        (-300, "in the future: one of the clocks is wrong"),
        (300, ""),
        (340, "it has expired; by this clock it was issued 34"),
    ] {
        party.clock = clock;
        let said = party.sign_in().err().map(|error| error.to_string());
        let said = said.unwrap_or_default();
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{clock}: {said}"
        );
    }
    let mut party = Party::with(&idp, ", leeway: 6m");
    for clock in [-300, 300, 600] {
        party.clock = clock;
        assert_eq!(party.sign_in().err(), None, "{clock}");
    }
    party.clock = -400;
    assert!(party.refusal().contains("in the future"));
}

#[test]
fn a_token_has_an_end_and_is_a_recent_one() {
    let now = gatelatch::ambient::unix_seconds();
    for (changes, expected) in [
        (json!({ "exp": null }), "lacks one of"),
        (json!({ "exp": "tomorrow" }), "malformed"),
        (json!({ "exp": now - 60 }), "it has expired"),
        (json!({ "iat": null }), "`iat` is missing"),
        (
            json!({ "iat": now - 700, "exp": now + 3600 }),
            "it is an old one",
        ),
        (
            json!({ "iat": now + 100, "exp": now + 3600 }),
            "in the future",
        ),
        (json!({ "nbf": now + 100 }), "not valid yet"),
    ] {
        assert_said(changes, expected);
    }
}

#[test]
fn a_recent_sign_in_that_was_asked_for_is_proved() {
    let idp = ScriptedProvider::start();
    let mut party = Party::of(&idp);
    party.max_age = Some(60);
    assert!(party.begin().unwrap().contains("&max_age=60"));
    assert!(
        party
            .refusal()
            .contains("`auth_time` is longer ago than was asked for")
    );
    idp.script().claims = json!({ "auth_time": null });
    assert!(party.refusal().contains("`auth_time` is missing"));
    idp.script().claims = json!({ "auth_time": party.now() - 50 });
    assert_eq!(party.sign_in().err(), None);
}

#[test]
fn only_the_published_keys_of_the_provider_sign() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let secret =
        Key::from_secret(Algorithm::Hs256, CLIENT_SECRET.as_bytes(), Some("first")).unwrap();
    let unpublished = provider_key(Algorithm::Es256, "p256.pem", "other");
    for (signer, header, expected) in [
        (ScriptedSigner::Nobody, json!({}), "another algorithm"),
        (
            ScriptedSigner::Nobody,
            json!({ "kid": "first" }),
            "another algorithm",
        ),
        (ScriptedSigner::Key(secret), json!({}), "another algorithm"),
        (
            ScriptedSigner::Key(unpublished.clone()),
            json!({}),
            "names an unknown key",
        ),
        (
            ScriptedSigner::Key(unpublished),
            json!({ "kid": "first", "alg": "RS256" }),
            "signature",
        ),
    ] {
        idp.script().signer = signer;
        idp.script().header = header;
        let said = party.refusal();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_token_that_is_something_else_is_not_believed() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    for kind in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt"] {
        idp.script().header = json!({ "typ": kind });
        let said = party.refusal();
        assert!(
            said.contains("`typ` says that it is something else"),
            "{kind}: {said}"
        );
    }
    idp.script().header = json!({ "crit": ["exp"] });
    assert!(party.refusal().contains("extension"));
    for kind in ["JWT", "jwt", "JOSE"] {
        idp.script().header = json!({ "typ": kind });
        assert_eq!(party.sign_in().err(), None, "{kind}");
    }
}

#[test]
fn keys_are_followed_while_somebody_signs_in() {
    let idp = ScriptedProvider::start();
    let party = Party::with(&idp, ", algorithms: [RS256, ES256, ES512]");
    assert_eq!(party.sign_in().err(), None);
    // `at_hash` is made by the hash function of the algorithm
    idp.rotate(provider_key(Algorithm::Es512, "p521.pem", "second"));
    assert_eq!(
        party.sign_in().err(),
        None,
        "the new key is fetched meanwhile"
    );
    // nor do a token that no fetch helps, and a fetch that fails, keep the next one from its keys
    let third = provider_key(Algorithm::Es512, "p521.pem", "third");
    idp.script().signer = ScriptedSigner::Key(third.clone());
    assert!(party.refusal().contains("names an unknown key"));
    idp.script()
        .answers
        .insert("/keys".to_owned(), json_answer(503, &json!({})));
    idp.rotate(third);
    assert!(party.refusal().contains("names an unknown key"));
    idp.script().answers.clear();
    assert_eq!(party.sign_in().err(), None, "the keys are to be had again");
    // what a key signs that is none of the configured algorithms is not believed
    let narrow = Party::with(&idp, ", algorithms: [RS256]");
    assert!(
        narrow.refusal().contains("names an unknown key")
            || narrow.refusal().contains("keys cannot be had")
    );
}
