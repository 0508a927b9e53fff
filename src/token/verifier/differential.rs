//! The verifier beside jsonwebtoken, which shares no code with it: what is accepted here is accepted there, with the same claims.

use std::time::Duration;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Verifier, VerifierSettings};
use crate::token::{Key, VerifiedClaims};

const SECRET: &[u8] = b"an example secret of at least 32 bytes";
const LEEWAY: u64 = 30;

fn ours(token: &str, now: u64) -> Option<VerifiedClaims> {
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "jobs".to_owned(),
        leeway: Duration::from_secs(LEEWAY),
        max_lifetime: Duration::MAX,
    };
    Verifier::new(Key::hs256(SECRET).unwrap(), settings)
        .verify(token, now)
        .ok()
}

fn theirs(token: &str) -> Option<Value> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = LEEWAY;
    rules.validate_nbf = true;
    rules.set_issuer(&["gatelatch"]);
    rules.set_audience(&["jobs"]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    decode::<Value>(token, &DecodingKey::from_secret(SECRET), &rules)
        .ok()
        .map(|token| token.claims)
}

fn signed(claims: &Value, algorithm: Algorithm, secret: &[u8]) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(secret),
    )
    .unwrap()
}

/// Claims, some of which are missing, wrong, or far from now. Seconds near the edges are left out: the two look at the clock
/// one after the other.
fn claims(now: u64) -> impl Strategy<Value = Value> {
    let text = |good: &'static str| prop_oneof![6 => Just(json!(good)), 1 => any::<String>().prop_map(Value::from), 1 => Just(Value::Null)];
    let audience = prop_oneof![4 => Just(json!("jobs")), 2 => Just(json!(["other", "jobs"])), 1 => Just(json!("other")), 1 => Just(json!(7))];
    let expiry = prop_oneof![6 => (now + 60..now + 9_000).prop_map(Value::from), 1 => (0..now - 60).prop_map(Value::from), 1 => Just(json!("soon"))];
    let start = prop_oneof![4 => Just(Value::Null), 2 => (0..now - 60).prop_map(Value::from), 1 => (now + 60..now + 9_000).prop_map(Value::from)];
    (text("gatelatch"), audience, text("alice"), expiry, start).prop_map(
        |(iss, aud, sub, exp, nbf)| {
            let all = [
                ("iss", iss),
                ("aud", aud),
                ("sub", sub),
                ("exp", exp),
                ("nbf", nbf),
            ];
            all.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        },
    )
}

fn agree(token: &str, now: u64) -> Result<(), TestCaseError> {
    if let Some(found) = ours(token, now) {
        let known = theirs(token);
        prop_assert!(known.is_some(), "accepted by us alone: {token}");
        let known = known.unwrap_or_default();
        prop_assert_eq!(known["sub"].as_str(), Some(&*found.subject));
        prop_assert_eq!(known["exp"].as_u64(), Some(found.expires_at));
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_accepted_that_another_implementation_refuses(claims in claims(get_current_timestamp()), other_key: bool, hs512: bool) {
        let secret = if other_key { b"another secret of at least 32 bytes" } else { SECRET };
        let algorithm = if hs512 { Algorithm::HS512 } else { Algorithm::HS256 };
        let token = signed(&claims, algorithm, secret);
        agree(&token, get_current_timestamp())?;
        if other_key || hs512 {
            prop_assert!(ours(&token, get_current_timestamp()).is_none());
        }
    }

    #[test]
    fn a_token_that_was_changed_is_accepted_by_neither_or_both(at in any::<prop::sample::Index>(), byte in 0x21_u8..0x7f) {
        let now = get_current_timestamp();
        let claims = json!({"iss": "gatelatch", "aud": "jobs", "sub": "alice", "iat": now, "exp": now + 600});
        let token = signed(&claims, Algorithm::HS256, SECRET);
        prop_assert!(ours(&token, now).is_some() && theirs(&token).is_some());
        let mut changed = token.into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        agree(&String::from_utf8(changed).unwrap(), now)?;
    }

    #[test]
    fn what_another_implementation_signs_for_a_usual_user_holds(subject in "[a-z0-9@._-]{1,40}", life in 60_u64..9_000) {
        let now = get_current_timestamp();
        let claims = json!({"iss": "gatelatch", "aud": ["jobs"], "sub": subject, "iat": now, "exp": now + life});
        let found = ours(&signed(&claims, Algorithm::HS256, SECRET), now);
        prop_assert_eq!(found.map(|claims| claims.subject.to_string()), Some(subject));
    }
}
