//! The keys of one issuer: which of them a token names, and whether it was signed with that one.

use serde_json::{Value, json};

use super::compact::Compact;
use super::error::TokenError;
use super::header::Header;
use super::key::{Key, VerifyingKey};
use super::key_flaw::KeyFlaw;

/// The most keys that a token without a `kid` is tried with: each try costs a signature, and anybody can send one.
const MOST_TRIES: usize = 16;

/// The keys of one issuer. A `kid` finds the keys of that name; without one, the keys of the token's algorithm are
/// tried, sixteen at the most. A key is used for its own algorithm only, whatever the token says.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    flaws: Vec<KeyFlaw>,
    names: Names,
}

/// Whether a `kid` must be one of the set's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Names {
    #[default]
    Count,
    /// The set is one key that its issuer calls something else.
    Unknown,
}

impl KeySet {
    /// A set of keys that go by their names.
    pub fn new(keys: Vec<VerifyingKey>) -> Self {
        Self {
            keys,
            flaws: Vec::new(),
            names: Names::Count,
        }
    }

    /// A set whose keys go by names that nobody told us: every `kid` is taken for them.
    pub fn of_unknown_names(keys: Vec<VerifyingKey>) -> Self {
        Self {
            keys,
            flaws: Vec::new(),
            names: Names::Unknown,
        }
    }

    pub(super) fn with_flaws(self, flaws: Vec<KeyFlaw>) -> Self {
        Self { flaws, ..self }
    }

    /// What is wrong with keys of a published set: with those that would verify here if they were keys, and with those
    /// that verify although they are malformed.
    pub fn flaws(&self) -> &[KeyFlaw] {
        &self.flaws
    }

    /// How many keys there are, each counted once, however many algorithms it is used with.
    pub fn count(&self) -> usize {
        let mut keys: Vec<_> = self.keys.iter().map(VerifyingKey::fingerprint).collect();
        keys.sort();
        keys.dedup();
        keys.len()
    }

    /// Whether there is a key that another set does not have.
    pub fn has_more_than(&self, other: &Self) -> bool {
        let known: Vec<_> = other.keys.iter().map(VerifyingKey::fingerprint).collect();
        let mut keys = self.keys.iter();
        keys.any(|key| !known.contains(&key.fingerprint()))
    }

    /// The keys, in the order of the set.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The public keys as a JSON Web Key Set (RFC 7517, section 5), each once; shared secrets are left out.
    pub fn to_jwks(&self) -> Value {
        let keys = self.keys.iter().filter_map(VerifyingKey::to_jwk);
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// Whether one of the keys has signed the token.
    ///
    /// # Errors
    /// [`TokenError::KeyId`] for a name that no key has, [`TokenError::Algorithm`] for an algorithm that no such key is bound
    /// to, and [`TokenError::Signature`].
    pub(super) fn verify(
        &self,
        header: &Header<'_>,
        token: &Compact<'_>,
    ) -> Result<(), TokenError> {
        let (mut refusal, mut tries) = (TokenError::KeyId, 0);
        let id = header.key_id();
        for key in self.keys.iter().filter(|key| self.is_named(key, id)) {
            if !key.algorithm().is_named(header.algorithm()) {
                refusal = refusal_of(refusal, TokenError::Algorithm);
                continue;
            }
            refusal = TokenError::Signature;
            tries += 1;
            if tries > MOST_TRIES {
                break;
            }
            if key.verifies(token.signed.as_bytes(), token.signature) {
                return Ok(());
            }
        }
        Err(refusal)
    }

    fn is_named(&self, key: &VerifyingKey, id: Option<&str>) -> bool {
        self.names == Names::Unknown || id.is_none_or(|id| id == key.id())
    }
}

/// A signature that was looked at says more than an algorithm that was not.
fn refusal_of(present: TokenError, next: TokenError) -> TokenError {
    if present == TokenError::Signature {
        present
    } else {
        next
    }
}

impl From<Key> for KeySet {
    fn from(key: Key) -> Self {
        Self::new(vec![key.verifying().clone()])
    }
}
