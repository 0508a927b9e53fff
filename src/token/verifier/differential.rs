//! The verifier beside one of a page that shares no code with it but JSON and base64: the signature is an HMAC by hand, the
//! claims are read from a `serde_json::Value`. What is accepted here is accepted there, with the same claims.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::hmac;
use super::{Verifier, VerifierSettings};
use crate::token::{Key, VerifiedClaims};

const SECRET: &[u8] = b"an example secret of at least 32 bytes";
const OTHER_SECRET: &[u8] = b"another secret of at least 32 bytes";
const LEEWAY: u64 = 30;
const NOW: u64 = 1_700_000_000;

fn ours(token: &str) -> Option<VerifiedClaims> {
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "jobs".to_owned(),
        leeway: Duration::from_secs(LEEWAY),
        max_lifetime: Duration::MAX,
    };
    Verifier::new(Key::hs256(SECRET).unwrap(), settings)
        .verify(token, NOW)
        .ok()
}

/// The claims of a token that is good by RFC 7515, RFC 7519 and the settings above.
fn naive(token: &str) -> Option<Value> {
    let [header, payload, signature] = *token.split('.').collect::<Vec<_>>() else {
        return None;
    };
    let signed = format!("{header}.{payload}");
    if URL_SAFE_NO_PAD.decode(signature).ok()? != hmac(SECRET, signed.as_bytes()) {
        return None;
    }
    let json = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (header, claims) = (json(header)?, json(payload)?);
    let is_jws = header["alg"] == "HS256" && header.get("crit").is_none();
    let second = |name: &str| claims[name].as_f64();
    let aud = &claims["aud"];
    let audience = aud == "jobs"
        || aud
            .as_array()
            .is_some_and(|names| names.contains(&json!("jobs")));
    let in_time = second("exp")? > (NOW - LEEWAY) as f64
        && claims
            .get("nbf")
            .is_none_or(|_| second("nbf").is_some_and(|start| start <= (NOW + LEEWAY) as f64));
    let named = claims["iss"] == "gatelatch" && claims["sub"].as_str().is_some();
    (is_jws && audience && in_time && named).then_some(claims)
}

fn signed(claims: &Value, algorithm: &str, secret: &[u8]) -> String {
    let header = json!({ "typ": "JWT", "alg": algorithm }).to_string();
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header), encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(hmac(secret, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Claims, some of which are missing, wrong, or in another time.
fn claims() -> impl Strategy<Value = Value> {
    let text = |good: &'static str| prop_oneof![6 => Just(json!(good)), 1 => any::<String>().prop_map(Value::from), 1 => Just(Value::Null)];
    let audience = prop_oneof![4 => Just(json!("jobs")), 2 => Just(json!(["other", "jobs"])), 1 => Just(json!("other")), 1 => Just(json!(7))];
    let expiry = prop_oneof![6 => (NOW - 60..NOW + 9_000).prop_map(Value::from), 1 => (0..NOW - 60).prop_map(Value::from), 1 => Just(json!("soon"))];
    let start = prop_oneof![4 => Just(Value::Null), 2 => (0..NOW).prop_map(Value::from), 1 => (NOW..NOW + 60).prop_map(Value::from)];
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

fn agree(token: &str) -> Result<(), TestCaseError> {
    if let Some(found) = ours(token) {
        let known = naive(token);
        prop_assert!(known.is_some(), "accepted by the gateway alone: {token}");
        let known = known.unwrap_or_default();
        prop_assert_eq!(known["sub"].as_str(), Some(&*found.subject));
        prop_assert_eq!(known["exp"].as_u64(), Some(found.expires_at));
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_accepted_that_another_implementation_refuses(claims in claims(), other_key: bool, hs512: bool) {
        let secret = if other_key { OTHER_SECRET } else { SECRET };
        let algorithm = if hs512 { "HS512" } else { "HS256" };
        let token = signed(&claims, algorithm, secret);
        agree(&token)?;
        if other_key || hs512 {
            prop_assert!(ours(&token).is_none());
        }
    }

    #[test]
    fn a_token_that_was_changed_is_accepted_by_neither_or_both(at in any::<prop::sample::Index>(), byte in 0x21_u8..0x7f) {
        let claims = json!({"iss": "gatelatch", "aud": "jobs", "sub": "alice", "iat": NOW, "exp": NOW + 600});
        let token = signed(&claims, "HS256", SECRET);
        prop_assert!(ours(&token).is_some() && naive(&token).is_some());
        let mut changed = token.into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        agree(&String::from_utf8(changed).unwrap())?;
    }

    #[test]
    fn what_another_implementation_signs_for_a_usual_user_holds(subject in "[a-z0-9@._-]{1,40}", life in 60_u64..9_000) {
        let claims = json!({"iss": "gatelatch", "aud": ["jobs"], "sub": subject, "iat": NOW, "exp": NOW + life});
        let found = ours(&signed(&claims, "HS256", SECRET));
        prop_assert_eq!(found.map(|claims| claims.subject.to_string()), Some(subject));
    }
}
