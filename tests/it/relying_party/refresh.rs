//! Whether a session still holds.

use gatelatch::oidc::{OAuthErrorCode, ProviderError, ProviderRefresh, ProviderSignIn};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::Party;
use crate::support::{ScriptedProvider, json_answer};

/// Asks again about somebody who has signed in; also gives the refresh token that counts then.
fn refresh(
    party: &Party,
    sign_in: &ProviderSignIn,
) -> Result<(ProviderRefresh, Option<String>), ProviderError> {
    let token = sign_in.refresh_token.as_ref().unwrap();
    party.run(async {
        let renewed = party.provider.refresh(token, party.now()).await?;
        let kept = renewed
            .refresh_token()
            .map(|token| token.expose_secret().to_owned());
        let refreshed = party
            .provider
            .confirm(&renewed, &sign_in.of, party.now())
            .await?;
        Ok((refreshed, kept))
    })
}

#[test]
fn a_refresh_token_counts_until_another_one_comes() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let sign_in = party.sign_in().unwrap();
    idp.script().tokens = json!({ "refresh_token": "rotated" });
    idp.script().claims = json!({ "groups": ["other"] });
    let (refreshed, kept) = refresh(&party, &sign_in).unwrap();
    assert_eq!(kept.as_deref(), Some("rotated"));
    assert_eq!(refreshed.identity.unwrap().roles.join(","), "other");
    assert!(refreshed.id_token.is_some());
    for absent in [json!(null), json!("")] {
        idp.script().tokens = json!({ "refresh_token": absent });
        let (_, kept) = refresh(&party, &sign_in).unwrap();
        assert_eq!(kept, None, "the former one is kept");
    }
    let sent = idp.received("/token").remove(1).body;
    assert!(
        sent.starts_with("grant_type=refresh_token&refresh_token=refresh%201"),
        "{sent}"
    );
}

/// OpenID Connect Core 1.0, section 12.2.
#[test]
fn a_refresh_speaks_of_the_same_person() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let sign_in = party.sign_in().unwrap();
    for (changes, expected) in [
        (json!({ "sub": "mallory" }), "another person"),
        (json!({ "iss": "https://idp.example.com" }), "`iss`"),
        (json!({ "aud": "other" }), "`aud`"),
        (json!({ "auth_time": 1_700_000_001 }), "`auth_time`"),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "`at_hash`"),
        (json!({ "exp": 1_700_000_000 }), "expired"),
    ] {
        idp.script().claims = changes.clone();
        let outcome = refresh(&party, &sign_in).unwrap_err();
        assert!(outcome.ends_session(), "{changes}");
        assert!(
            outcome.to_string().contains(expected),
            "{changes}: {outcome}"
        );
    }
    idp.script().claims = json!({ "auth_time": null });
    assert_eq!(refresh(&party, &sign_in).err(), None);
}

#[test]
fn without_an_id_token_the_userinfo_speaks_of_the_person() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let sign_in = party.sign_in().unwrap();
    idp.script().tokens = json!({ "id_token": null });
    idp.script().userinfo = json!({ "groups": ["x"] });
    let (refreshed, _) = refresh(&party, &sign_in).unwrap();
    assert_eq!(refreshed.identity.unwrap().roles.join(","), "x");
    idp.script().userinfo = json!({ "sub": "mallory", "groups": ["x"] });
    assert!(refresh(&party, &sign_in).unwrap_err().ends_session());
    // where nobody says anything, the provider has confirmed the session all the same
    idp.script().tokens = json!({ "id_token": null, "access_token": null });
    assert_eq!(refresh(&party, &sign_in).unwrap().0.identity, None);
}

#[test]
fn who_may_not_sign_in_any_more_is_not_refreshed() {
    let idp = ScriptedProvider::start();
    let party = Party::with(&idp, ", allow: { groups: [staff] }");
    let sign_in = party.sign_in().unwrap();
    idp.script().claims = json!({ "groups": ["former"] });
    let outcome = refresh(&party, &sign_in).unwrap_err();
    assert!(matches!(outcome, ProviderError::NotAllowed(_)) && outcome.ends_session());
}

#[test]
fn a_session_ends_where_the_provider_says_so_and_lives_on_where_it_is_away() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let sign_in = party.sign_in().unwrap();
    let refused = |code: &str| json_answer(400, &json!({ "error": code }));
    for (answer, ends) in [
        (refused("invalid_grant"), true),
        (refused("invalid_client"), false),
        (
            json_answer(500, &json!({ "error": "invalid_grant" })),
            false,
        ),
        (Vec::new(), false),
        (crate::support::ok("<html>"), false),
    ] {
        idp.script().answers.insert("/token".to_owned(), answer);
        let outcome = refresh(&party, &sign_in).unwrap_err();
        assert_eq!(outcome.ends_session(), ends, "{outcome}");
    }
    let gone = SecretString::from("gone");
    idp.script()
        .answers
        .insert("/token".to_owned(), refused("invalid_grant"));
    let outcome = party.run(party.provider.refresh(&gone, party.now())).err();
    assert_eq!(
        outcome,
        Some(ProviderError::Refused(OAuthErrorCode::InvalidGrant))
    );
}
