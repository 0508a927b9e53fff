//! The published keys of another issuer (RFC 7517).

use std::fmt;

use serde_json::{Map, Value};

use super::Algorithm;
use super::key::{PublicKey, VerifyingKey};
use super::key_set::KeySet;

/// More than any issuer publishes.
const MOST_KEYS: usize = 100;

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksError {
    /// Not a JSON object with a list `keys`.
    Malformed,
    /// More than [`MOST_KEYS`].
    TooMany,
}

impl KeySet {
    /// The keys of a document that can verify signatures of one of these algorithms. Others are passed over, so that an
    /// issuer may publish keys for other purposes, and shared secrets always are.
    ///
    /// # Errors
    /// [`JwksError`] for what is no set of keys at all.
    pub fn from_jwks(json: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        let document: Value = serde_json::from_slice(json).map_err(|_| JwksError::Malformed)?;
        let keys = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JwksError::Malformed)?;
        if keys.len() > MOST_KEYS {
            return Err(JwksError::TooMany);
        }
        let keys = keys
            .iter()
            .filter_map(Value::as_object)
            .filter(|key| is_for_verifying(key));
        Ok(Self::new(
            keys.flat_map(|key| bind(key, algorithms)).collect(),
        ))
    }
}

/// `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3), where they are there.
fn is_for_verifying(key: &Map<String, Value>) -> bool {
    let purpose = key.get("use").is_none_or(|purpose| purpose == "sig");
    let operations = key.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    purpose && operations
}

/// The key, once for each algorithm that it may be used with: the one that it names, else every accepted one of its kind.
fn bind(key: &Map<String, Value>, algorithms: &[Algorithm]) -> Vec<VerifyingKey> {
    let Some(public) = PublicKey::from_jwk(key) else {
        return Vec::new();
    };
    let id = key.get("kid");
    if id.is_some_and(|id| !id.is_string()) {
        return Vec::new();
    }
    let id = id.and_then(Value::as_str);
    let named = |algorithm: &Algorithm| key.get("alg").is_none_or(|name| name == algorithm.name());
    let fitting = algorithms
        .iter()
        .filter(|algorithm| public.suits(**algorithm) && named(algorithm));
    fitting
        .filter_map(|algorithm| VerifyingKey::from_public(*algorithm, public.clone(), id).ok())
        .collect()
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a JSON Web Key Set"),
            Self::TooMany => write!(f, "more than {MOST_KEYS} keys"),
        }
    }
}

impl std::error::Error for JwksError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Algorithm; 5] = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];

    fn public(algorithm: Algorithm, name: &str) -> Value {
        let path = format!("{}/tests/keys/{name}.pub.pem", env!("CARGO_MANIFEST_DIR"));
        let key = VerifyingKey::from_pem(
            algorithm,
            &std::fs::read_to_string(path).unwrap(),
            Some("a"),
        )
        .unwrap();
        KeySet::new(vec![key]).to_jwks()["keys"][0].clone()
    }

    fn changed(mut key: Value, changes: Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                key.as_object_mut().unwrap().remove(name);
            } else {
                key[name] = value.clone();
            }
        }
        key
    }

    #[track_caller]
    fn check(key: Value, algorithms: &[Algorithm], expected: &[Algorithm]) {
        let set =
            KeySet::from_jwks(json!({ "keys": [key] }).to_string().as_bytes(), algorithms).unwrap();
        let found: Vec<Algorithm> = set.keys().iter().map(VerifyingKey::algorithm).collect();
        assert_eq!(found, expected, "{key}");
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for (algorithm, name) in ALL
            .into_iter()
            .zip(["rsa", "rsa", "p256", "p384", "ed25519"])
        {
            check(public(algorithm, name), &ALL, &[algorithm]);
            check(public(algorithm, name), &[Algorithm::Hs256], &[]);
        }
    }

    #[test]
    fn a_key_is_bound_to_what_it_names_and_to_what_is_accepted() {
        let (rs, ps, es) = (Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256);
        let rsa = public(rs, "rsa");
        check(
            changed(rsa.clone(), json!({ "alg": null })),
            &ALL,
            &[rs, ps],
        );
        check(changed(rsa.clone(), json!({ "alg": null })), &[rs], &[rs]);
        check(changed(rsa.clone(), json!({ "alg": "PS256" })), &ALL, &[ps]);
        check(changed(rsa.clone(), json!({ "alg": "PS256" })), &[rs], &[]);
        check(
            changed(rsa.clone(), json!({ "alg": "RSA-OAEP" })),
            &ALL,
            &[],
        );
        check(
            changed(rsa.clone(), json!({ "alg": "HS256" })),
            &[Algorithm::Hs256, rs],
            &[],
        );
        check(changed(rsa.clone(), json!({ "alg": 7 })), &ALL, &[]);
        check(changed(rsa.clone(), json!({ "use": "enc" })), &ALL, &[]);
        check(
            changed(rsa.clone(), json!({ "use": null, "key_ops": ["verify"] })),
            &ALL,
            &[rs],
        );
        check(
            changed(rsa.clone(), json!({ "key_ops": ["encrypt"] })),
            &ALL,
            &[],
        );
        check(
            changed(rsa.clone(), json!({ "key_ops": "verify" })),
            &ALL,
            &[],
        );
        check(changed(rsa.clone(), json!({ "kid": 7 })), &ALL, &[]);
        check(changed(rsa.clone(), json!({ "kid": null })), &ALL, &[rs]);
        check(
            changed(rsa, json!({ "d": "AQAB", "x5c": ["…"] })),
            &ALL,
            &[rs],
        );
        let point = public(es, "p256");
        check(changed(point.clone(), json!({ "crv": "P-384" })), &ALL, &[]);
        check(
            changed(point.clone(), json!({ "crv": "secp256k1" })),
            &ALL,
            &[],
        );
    }

    /// Keys that would accept what they should not, or break what verifies with them.
    #[test]
    fn weak_and_broken_keys_are_passed_over() {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
        let rsa = public(Algorithm::Rs256, "rsa");
        let modulus = B64.decode(rsa["n"].as_str().unwrap()).unwrap();
        let padded = [&[0], modulus.as_slice()].concat();
        check(
            changed(rsa.clone(), json!({ "n": B64.encode(padded) })),
            &ALL,
            &[Algorithm::Rs256],
        );
        let even = [&modulus[..255], &[0]].concat();
        for changes in [
            json!({ "n": B64.encode(&modulus[..128]) }),
            json!({ "n": B64.encode(vec![0xff; 1025]) }),
            json!({ "n": B64.encode(even) }),
            json!({ "n": "" }),
            json!({ "n": null }),
            json!({ "n": rsa["n"].as_str().unwrap().to_owned() + "=" }),
            json!({ "e": "AQ" }),
            json!({ "e": "Ag" }),
            json!({ "e": "AA" }),
            json!({ "e": "" }),
            json!({ "e": B64.encode([0xff; 9]) }),
            json!({ "kty": "oct", "k": "c2VjcmV0" }),
        ] {
            check(changed(rsa.clone(), changes), &ALL, &[]);
        }
        let point = public(Algorithm::Es256, "p256");
        for changes in [
            json!({ "x": B64.encode([0; 32]), "y": B64.encode([0; 32]) }),
            json!({ "x": point["y"], "y": point["x"] }),
            json!({ "x": B64.encode([1; 31]) }),
            json!({ "x": B64.encode([0xff; 32]) }),
        ] {
            check(changed(point.clone(), changes), &ALL, &[]);
        }
        let edwards = public(Algorithm::EdDsa, "ed25519");
        check(
            changed(edwards.clone(), json!({ "x": B64.encode([1; 31]) })),
            &ALL,
            &[],
        );
        check(changed(edwards, json!({ "crv": "X25519" })), &ALL, &[]);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let parse =
            |text: &str| KeySet::from_jwks(text.as_bytes(), &ALL).map(|set| set.keys().len());
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>", r#"{"keys":[]"#] {
            assert_eq!(parse(text), Err(JwksError::Malformed), "{text}");
        }
        assert_eq!(parse(r#"{"keys":[]}"#), Ok(0));
        assert_eq!(parse(r#"{"keys":[1,"a",null,{}]}"#), Ok(0));
        assert_eq!(
            parse(&format!("{{\"keys\":[{}1]}}", "1,".repeat(100))),
            Err(JwksError::TooMany)
        );
    }
}
