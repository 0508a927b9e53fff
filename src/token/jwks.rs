//! The published keys of another issuer (RFC 7517).

use std::fmt;

use serde_json::{Map, Value};

use super::Algorithm;
use super::key::{KeyError, PublicKey, VerifyingKey};
use super::key_flaw::KeyFlaw;
use super::key_set::KeySet;

/// More than any issuer publishes.
const MOST_KEYS: usize = 100;

/// The members of a JSON Web Key that only its owner may have (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

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
    /// for other purposes are passed over, and shared secrets always are; what is wrong with others is in
    /// [`KeySet::flaws`].
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
        let (mut good, mut flaws) = (Vec::new(), Vec::new());
        for (at, key) in keys.iter().enumerate() {
            let Some(members) = key.as_object().filter(|key| is_for_verifying(key)) else {
                continue;
            };
            let mut flaw = |error, is_used| {
                flaws.push(KeyFlaw {
                    number: at + 1,
                    id: members.get("kid").and_then(Value::as_str).map(Into::into),
                    error,
                    is_used,
                });
            };
            match bind(members, algorithms) {
                Ok((keys, repaired)) => {
                    repaired.into_iter().for_each(|error| flaw(error, true));
                    good.extend(keys);
                }
                Err(error) => flaw(error, false),
            }
        }
        Ok(Self::new(good).with_flaws(flaws))
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
/// kind. None for a key of another kind. Beside them what was wrong with it and does not matter.
fn bind(
    key: &Map<String, Value>,
    algorithms: &[Algorithm],
) -> Result<(Vec<VerifyingKey>, Option<KeyError>), KeyError> {
    let Some(kind) = PublicKey::kind_of(key) else {
        return Ok((Vec::new(), None));
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
        return Ok((Vec::new(), None));
    }
    // whoever reads the set could sign with it, so a signature says nothing
    if let Some(member) = PRIVATE_MEMBERS.iter().find(|name| key.contains_key(**name)) {
        return Err(KeyError::Published(member));
    }
    let id = match key.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.as_str()),
        Some(_) => return Err(KeyError::Member("kid")),
    };
    let (public, repaired) = PublicKey::from_jwk(kind, key)?;
    let keys = fitting
        .into_iter()
        .map(|algorithm| VerifyingKey::from_public(algorithm, public.clone(), id));
    Ok((keys.collect::<Result<_, _>>()?, repaired))
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
mod tests;
