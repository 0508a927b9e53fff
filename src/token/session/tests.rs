//! How long sessions last, and what is none.

use super::*;
use crate::token::{AuthenticationMethods, ClaimPath, Holder, IssuerSettings, TokenIssuer};

const NOW: u64 = 1_700_000_000;

const SIGN_IN: SignIn = SignIn {
    at: Some(NOW),
    methods: AuthenticationMethods::PASSWORD,
};

fn key() -> Key {
    Key::hs256(b"an example secret of at least 32 bytes").unwrap()
}

fn sessions() -> CookieSessions {
    let (ttl, max_age) = (Duration::from_secs(1800), Duration::from_secs(4000));
    let (max_lifetime, leeway) = (Duration::from_secs(86_400), Duration::from_secs(30));
    let settings = SessionSettings {
        issuer: "gatelatch".to_owned(),
        ttl,
        max_age,
        max_lifetime,
        leeway,
    };
    CookieSessions::new(key(), key(), settings)
}

fn begin() -> VerifiedClaims {
    let token = sessions()
        .begin("alice", SessionId::from_bytes([7; 16]), SIGN_IN, NOW)
        .unwrap();
    assert_eq!(token.max_age, 1800);
    sessions().verify(&token.value, NOW).unwrap()
}

#[test]
fn a_session_is_renewed_at_half_time_and_never_beyond_its_age() {
    let first = begin();
    assert_eq!(sessions().renew(&first, false, NOW + 899), None);
    let token = sessions().renew(&first, false, NOW + 900).unwrap();
    let second = sessions().verify(&token.value, NOW + 900).unwrap();
    assert_eq!(
        (second.expires_at, second.signed_in_at),
        (NOW + 2700, Some(NOW))
    );
    assert_eq!(second.session, first.session);
    assert_eq!((first.sign_in, second.sign_in), (SIGN_IN, SIGN_IN));
    let token = sessions().renew(&second, false, NOW + 2500).unwrap();
    let third = sessions().verify(&token.value, NOW + 2500).unwrap();
    assert_eq!((third.expires_at, token.max_age), (NOW + 4000, 1500));
    assert_eq!(
        sessions().renew(&third, false, NOW + 3900),
        None,
        "it cannot grow older"
    );
    assert!(sessions().is_still_valid(&third, NOW + 3999));
    assert!(
        !sessions().is_still_valid(&third, NOW + 4000),
        "no leeway beyond the greatest age"
    );
    assert_eq!(
        sessions().verify(&token.value, NOW + 4000),
        Err(TokenError::Expired)
    );
}

#[test]
fn a_session_is_no_bearer_token_and_no_bearer_token_a_session() {
    let session = sessions()
        .begin("alice", SessionId::from_bytes([7; 16]), SIGN_IN, NOW)
        .unwrap()
        .value;
    let audience = "gatelatch".to_owned();
    let bearer = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: audience.clone(),
        leeway: Duration::ZERO,
        max_lifetime: Duration::from_secs(86_400),
    };
    assert_eq!(
        Verifier::new(key(), bearer).verify(&session, NOW),
        Err(TokenError::Audience)
    );
    let settings = IssuerSettings {
        issuer: "gatelatch".to_owned(),
        audience,
        access_ttl: Duration::from_secs(60),
        roles_claim: ClaimPath::of("roles"),
        longest_token: usize::MAX,
    };
    let claims = serde_json::json!({ "sid": "x", "auth_time": NOW });
    let holder = Holder {
        subject: "alice",
        roles: &[],
        name: None,
        email: None,
        claims: claims.as_object(),
        session: None,
        sign_in: SIGN_IN,
    };
    let token = TokenIssuer::new(key(), settings)
        .issue(&holder, [0; 16], NOW)
        .unwrap()
        .token;
    assert_eq!(sessions().verify(&token, NOW), Err(TokenError::Audience));
}

#[test]
fn a_renewal_counts_from_when_it_is_made_and_comes_before_the_end() {
    let session = begin();
    assert_eq!(session.expires_at, NOW + 1800);
    for (later, seconds) in [
        (899, None),
        (900, Some(1800)),
        (1799, Some(1800)),
        // its browser has dropped the cookie
        (1800, None),
        (1829, None),
    ] {
        let renewed = sessions().renew(&session, false, NOW + later);
        assert_eq!(renewed.as_ref().map(|token| token.max_age), seconds);
        assert_eq!(sessions().is_due(&session, NOW + later), seconds.is_some());
        if let Some(token) = renewed {
            let claims = sessions().verify(&token.value, NOW + later).unwrap();
            assert_eq!(claims.expires_at, NOW + later + 1800);
            assert_eq!(claims.session, session.session);
        }
    }
}

#[test]
fn a_session_can_be_ended_whatever_refuses_it_now() {
    let token = |changes: serde_json::Value| {
        let mut all = serde_json::json!({
            "iss": "gatelatch", "aud": SESSION_AUDIENCE, "sub": "a", "iat": NOW, "exp": NOW + 60,
            "auth_time": NOW, "sid": "x"
        });
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        sign(&key(), all.as_object().unwrap().clone()).unwrap()
    };
    let session = Some(SessionId::of_claim("x"));
    for changes in [
        serde_json::json!({}),
        serde_json::json!({ "iat": NOW + 3600, "nbf": NOW + 3600, "exp": NOW + 7200 }),
        serde_json::json!({ "exp": NOW + 100 * 86_400 }),
        serde_json::json!({ "auth_time": NOW - 5000 }),
        serde_json::json!({ "iss": "renamed" }),
        serde_json::json!({ "aud": "gatelatch" }),
        serde_json::json!({ "exp": NOW - 29 }),
    ] {
        let token = token(changes);
        assert_eq!(sessions().named_by(&token, NOW), session, "{token}");
    }
    let good = token(serde_json::json!({}));
    for none in [
        String::new(),
        "junk".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}x"),
        good.rsplit_once('.').unwrap().0.to_owned() + ".",
        token(serde_json::json!({ "exp": NOW - 30 })),
    ] {
        assert_eq!(sessions().named_by(&none, NOW), None, "{none}");
    }
}

#[test]
fn a_session_says_when_it_began() {
    let claims = |name: &str| {
        let all = serde_json::json!({
            "iss": "gatelatch", "aud": SESSION_AUDIENCE, "sub": "a", "iat": NOW, "exp": NOW + 60,
            "auth_time": NOW, "sid": "x"
        });
        let mut all = all.as_object().unwrap().clone();
        all.remove(name);
        sign(&key(), all).unwrap()
    };
    assert!(sessions().verify(&claims("nothing"), NOW).is_ok());
    for name in ["iat", "auth_time", "sid"] {
        assert_eq!(
            sessions().verify(&claims(name), NOW),
            Err(TokenError::Missing),
            "{name}"
        );
    }
}

#[test]
fn a_remembered_session_is_judged_by_the_time_as_a_new_one() {
    let token = sessions().begin("alice", SessionId::from_bytes([7; 16]), SIGN_IN, NOW + 3600);
    let token = token.unwrap().value;
    let held = sessions().verify(&token, NOW + 3600).unwrap();
    for now in (NOW..NOW + 9000).step_by(10) {
        let new = sessions().verify(&token, now).is_ok();
        assert_eq!(sessions().is_still_valid(&held, now), new, "{now}");
    }
}

#[test]
fn a_session_is_never_printed() {
    let token = sessions()
        .begin("alice", SessionId::from_bytes([7; 16]), SIGN_IN, NOW)
        .unwrap();
    assert_eq!(format!("{token:?}"), "SessionToken(for 1800 s)");
}
