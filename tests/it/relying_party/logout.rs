//! Signing out at the provider, and by the provider.

use gatelatch::oidc::{LogoutToken, LogoutTokenError};
use gatelatch::token::{Algorithm, TokenError};
use serde_json::{Value, json};

use super::Party;
use crate::support::{ScriptedProvider, get, provider_key};

fn verify(party: &Party, token: &str) -> Result<LogoutToken, LogoutTokenError> {
    let verified = party.provider.verify_logout_token(token, party.now());
    party.runtime.block_on(verified)
}

#[test]
fn a_logout_token_names_a_session_or_a_person() {
    let idp = ScriptedProvider::start();
    let party = Party::with(&idp, ", algorithms: [RS256, ES256, ES512]");
    party.sign_in().unwrap();
    let both = idp.logout_token(
        "gatelatch",
        &json!({ "sid": "session-1", "sub": "walter-1" }),
    );
    let token = verify(&party, &both).unwrap();
    assert_eq!(
        (&*token.jti, token.sid.as_deref(), token.sub.as_deref()),
        ("logout-1", Some("session-1"), Some("walter-1"))
    );
    let end = token.expires_at - party.now();
    assert!((120..=151).contains(&end), "{end}");
    for changes in [
        json!({ "sub": "walter-1" }),
        json!({ "sid": "s" }),
        json!({ "sub": "a", "aud": ["x", "gatelatch"] }),
    ] {
        let token = idp.logout_token("gatelatch", &changes);
        assert!(verify(&party, &token).is_ok(), "{changes}");
    }
    idp.rotate(provider_key(Algorithm::Es512, "p521.pem", "second"));
    let signed_anew = idp.logout_token("gatelatch", &json!({ "sid": "s" }));
    let verified = verify(&party, &signed_anew);
    assert!(verified.is_ok(), "the new key is fetched meanwhile");
}

/// OpenID Connect Back-Channel Logout 1.0, section 2.6.
#[test]
fn what_is_no_logout_token_ends_nothing() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let sign_in = party.sign_in().unwrap();
    let now = party.now();
    for (changes, expected) in [
        (json!({}), LogoutTokenError::NamesNobody),
        (
            json!({ "sub": "a", "iss": "https://idp.example.com" }),
            LogoutTokenError::Token(TokenError::Issuer),
        ),
        (
            json!({ "sub": "a", "iss": null }),
            LogoutTokenError::Lacks("iss"),
        ),
        (
            json!({ "sub": "a", "aud": "other" }),
            LogoutTokenError::Token(TokenError::Audience),
        ),
        (
            json!({ "sub": "a", "aud": null }),
            LogoutTokenError::Lacks("aud"),
        ),
        (
            json!({ "sub": "a", "nonce": "n" }),
            LogoutTokenError::HasNonce,
        ),
        (
            json!({ "sub": "a", "nonce": 7 }),
            LogoutTokenError::HasNonce,
        ),
        (
            json!({ "sub": "a", "events": null }),
            LogoutTokenError::NoLogout,
        ),
        (
            json!({ "sub": "a", "events": {} }),
            LogoutTokenError::NoLogout,
        ),
        (
            json!({ "sub": "a", "events": ["http://schemas.openid.net/event/backchannel-logout"] }),
            LogoutTokenError::NoLogout,
        ),
        (
            json!({ "sub": "a", "jti": null }),
            LogoutTokenError::Lacks("jti"),
        ),
        (
            json!({ "sub": "a", "jti": "" }),
            LogoutTokenError::Lacks("jti"),
        ),
        (
            json!({ "sub": 7 }),
            LogoutTokenError::Token(TokenError::Claims),
        ),
        (
            json!({ "sub": "a", "iat": null }),
            LogoutTokenError::Lacks("iat"),
        ),
        (
            json!({ "sub": "a", "exp": null }),
            LogoutTokenError::Lacks("exp"),
        ),
        (
            json!({ "sub": "a", "iat": now + 100 }),
            LogoutTokenError::Token(TokenError::IssuedAt),
        ),
        (
            json!({ "sub": "a", "iat": now - 700, "exp": now + 9999 }),
            LogoutTokenError::Stale,
        ),
        (
            json!({ "sub": "a", "exp": now - 60 }),
            LogoutTokenError::Token(TokenError::Expired),
        ),
        (
            json!({ "sub": "a", "nbf": now + 100 }),
            LogoutTokenError::Token(TokenError::NotYetValid),
        ),
    ] {
        let token = idp.logout_token("gatelatch", &changes);
        assert_eq!(verify(&party, &token).err(), Some(expected), "{changes}");
    }
    assert_eq!(
        verify(&party, &sign_in.id_token).err(),
        Some(LogoutTokenError::HasNonce),
        "an ID token is none"
    );
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let claims = |more: Value| {
        let mut claims = json!({ "iss": idp.issuer, "aud": "gatelatch", "iat": now, "exp": now + 60, "jti": "j", "sub": "a", "events": event });
        claims["x"] = more;
        claims
    };
    for (kind, expected) in [
        ("logout+jwt", None),
        ("JWT", None),
        ("at+jwt", Some(LogoutTokenError::Token(TokenError::Type))),
        (
            "secevent+jwt",
            Some(LogoutTokenError::Token(TokenError::Type)),
        ),
    ] {
        let token = idp
            .script()
            .sign(&json!({ "typ": kind }), &claims(json!(1)));
        assert_eq!(verify(&party, &token).err(), expected, "{kind}");
    }
    let bare = idp.script().sign(&json!({}), &claims(json!(1)));
    assert_eq!(verify(&party, &bare).err(), None, "`typ` may be absent");
    assert!(verify(&party, "a.b.c").is_err() && verify(&party, "").is_err());
}

#[test]
fn signing_out_at_the_provider_names_the_client_and_the_way_back() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let url = |hint: Option<&str>| {
        party
            .provider
            .end_session_url(hint, "https://gateway.example.com/auth/logout", "s 1")
            .unwrap()
    };
    let back = "post_logout_redirect_uri=https%3A%2F%2Fgateway.example.com%2Fauth%2Flogout";
    let plain = format!(
        "{}/logout?client_id=gatelatch&{back}&state=s%201",
        idp.issuer
    );
    assert_eq!(url(None), plain);
    assert_eq!(url(Some("a.b.c")), format!("{plain}&id_token_hint=a.b.c"));
    // one that is too long for a URL is left out
    assert_eq!(url(Some(&"a".repeat(4096))), plain);
    let target = plain.strip_prefix(&idp.issuer).unwrap();
    assert_eq!(
        get(idp.address(), target, "").header("location"),
        "https://gateway.example.com/auth/logout?state=s 1"
    );
    let without = ScriptedProvider::start();
    without.script().metadata = json!({ "end_session_endpoint": null });
    let party = Party::of(&without);
    assert_eq!(party.provider.end_session_url(None, "https://a", "s"), None);
}
