//! The published keys of another issuer (RFC 7517).

use std::fmt;

use serde_json::{Map, Value};

use super::Algorithm;
use super::key::{KeyError, PublicKey, VerifyingKey};
use super::key_set::KeySet;
use super::rejected_key::RejectedKey;

/// More than any issuer publishes.
const MOST_KEYS: usize = 100;

/// The longest `kid` that a message quotes.
const LONGEST_QUOTED: usize = 80;

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksError {
    /// Not a JSON object with a list `keys`.
    Malformed,
    /// More than [`MOST_KEYS`].
    TooMany,
}

impl KeySet {
    /// The keys of a document that can verify signatures of one of these algorithms. Each key is read by itself: those
    /// for other purposes are passed over, and shared secrets always are; broken ones are [`KeySet::rejected`].
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
        let (mut good, mut rejected) = (Vec::new(), Vec::new());
        for (at, key) in keys.iter().enumerate() {
            let Some(members) = key.as_object().filter(|key| is_for_verifying(key)) else {
                continue;
            };
            match bind(members, algorithms) {
                Ok(keys) => good.extend(keys),
                Err(error) => rejected.push(RejectedKey {
                    number: at + 1,
                    id: members.get("kid").and_then(Value::as_str).map(Into::into),
                    error,
                }),
            }
        }
        Ok(Self::new(good).with_rejected(rejected))
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

/// The key, once for each algorithm that it may be used with: the one that it names, else every accepted one of its
/// kind. None for a key of another kind.
fn bind(key: &Map<String, Value>, algorithms: &[Algorithm]) -> Result<Vec<VerifyingKey>, KeyError> {
    let Some(kind) = PublicKey::kind_of(key) else {
        return Ok(Vec::new());
    };
    let is_named = |algorithm: Algorithm| {
        key.get("alg")
            .is_none_or(|name| name.as_str().is_some_and(|name| algorithm.is_named(name)))
    };
    let mut fitting: Vec<Algorithm> = Vec::new();
    for &algorithm in algorithms {
        let is_new = !fitting
            .iter()
            .any(|other| other.is_same_signature(algorithm));
        if algorithm.kind() == kind && is_named(algorithm) && is_new {
            fitting.push(algorithm);
        }
    }
    if fitting.is_empty() {
        return Ok(Vec::new());
    }
    let id = match key.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.as_str()),
        Some(_) => return Err(KeyError::Member("kid")),
    };
    let public = PublicKey::from_jwk(kind, key)?;
    fitting
        .into_iter()
        .map(|algorithm| VerifyingKey::from_public(algorithm, public.clone(), id))
        .collect()
}

impl fmt::Display for RejectedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.number)?;
        // of a name that is too long to be quoted, or cannot be seen, the number is enough
        let is_plain = |id: &&String| {
            id.len() <= LONGEST_QUOTED && id.chars().all(|c| c.is_ascii_graphic() && c != '`')
        };
        if let Some(id) = self.id.as_ref().filter(is_plain) {
            write!(f, ", `{id}`,")?;
        }
        write!(f, " is not used: {}", self.error)
    }
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

    const ALL: [Algorithm; 6] = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
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
            .zip(["rsa", "rsa", "p256", "p384", "p521", "ed25519"])
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
        // members that decide nothing here may be of any type
        check(
            changed(
                public(rs, "rsa"),
                json!({ "x5c": "no list", "x5t": 7, "k": [], "crv": "P-256", "x": 1, "other": {} }),
            ),
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

    /// RFC 9864: both names are one algorithm, in the key, in the configuration and in the token.
    #[test]
    fn a_key_for_ed25519_is_found_under_both_names() {
        let (new, old) = (Algorithm::Ed25519, Algorithm::EdDsa);
        let key = public(new, "ed25519");
        assert_eq!(key["alg"], "Ed25519");
        assert_eq!(public(old, "ed25519")["alg"], "EdDSA");
        for alg in [json!("Ed25519"), json!("EdDSA"), Value::Null] {
            let key = changed(key.clone(), json!({ "alg": alg }));
            check(key.clone(), &[new], &[new]);
            check(key.clone(), &[old], &[old]);
            check(key, &[Algorithm::Rs256, new, old], &[new]);
        }
        for alg in ["Ed448", "ES256", "ed25519", "eddsa"] {
            check(
                changed(key.clone(), json!({ "alg": alg })),
                &[new, old],
                &[],
            );
        }
    }

    /// One odd key costs no other key, and is reported where it would have been used.
    #[test]
    fn a_broken_key_is_named_and_the_others_are_used() {
        let (rsa, point) = (
            public(Algorithm::Rs256, "rsa"),
            public(Algorithm::Es256, "p256"),
        );
        let with = |key: &Value, changes: Value| changed(key.clone(), changes);
        let keys = json!([
            with(&rsa, json!({ "kid": 7 })),
            with(&point, json!({ "kid": "off", "x": point["y"], "y": point["x"] })),
            with(&point, json!({ "kid": "short", "x": &point["x"].as_str().unwrap()[1..] })),
            with(&rsa, json!({ "kid": "`\u{202e}`", "n": rsa["n"].as_str().unwrap()[..172] })),
            with(&rsa, json!({ "e": null })),
            { "kty": "EC", "crv": "P-256K", "x": 1 },
            { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" },
            { "kty": "oct", "k": "c2VjcmV0" },
            with(&rsa, json!({ "kid": 7, "use": "enc" })),
            with(&rsa, json!({ "kid": 7, "alg": "RSA-OAEP" })),
            "no key",
            with(&rsa, json!({ "kid": "good" })),
        ]);
        let set = KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes(), &ALL).unwrap();
        let ids: Vec<&str> = set.keys().iter().map(VerifyingKey::id).collect();
        assert_eq!(ids, ["good"]);
        let messages: Vec<String> = set.rejected().iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "key 1 is not used: `kid` is missing or malformed (RFC 7517, RFC 7518)",
                "key 2, `off`, is not used: not a P-256 key, which ES256 needs: its point is not valid on that curve",
                "key 3, `short`, is not used: `x` is missing or malformed (RFC 7517, RFC 7518)",
                "key 4 is not used: an RSA key of 1032 bits; 2048 to 8192 are accepted",
                "key 5, `a`, is not used: `e` is missing or malformed (RFC 7517, RFC 7518)",
            ]
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
        let point = public(Algorithm::Es512, "p521");
        for changes in [
            json!({ "x": point["y"], "y": point["x"] }),
            json!({ "crv": "P-256" }),
            json!({ "x": B64.encode([0; 66]), "y": B64.encode([0; 66]) }),
            json!({ "x": B64.encode([0; 65]) }),
        ] {
            check(changed(point.clone(), changes), &ALL, &[]);
        }
        let edwards = public(Algorithm::EdDsa, "ed25519");
        let mut no_point = [0; 32];
        no_point[0] = 2;
        for x in [no_point, [0; 32], [0xff; 32]] {
            check(
                changed(edwards.clone(), json!({ "x": B64.encode(x) })),
                &ALL,
                &[],
            );
        }
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
