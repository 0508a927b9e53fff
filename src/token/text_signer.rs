//! Signatures of short texts of the gateway's own that are no JSON Web Tokens.

use super::key::Key;
use super::key_set::KeySet;

/// Signs texts with the gateway's key, and verifies them with any that counts. A text must not be the beginning of a JSON
/// Web Token: neither signature may pass for the other.
#[derive(Clone, Debug)]
pub struct TextSigner {
    key: Key,
    keys: KeySet,
}

impl TextSigner {
    /// Signs with `key`, and verifies what one of `keys` has signed.
    pub fn new(key: Key, keys: impl Into<KeySet>) -> Self {
        let keys = keys.into();
        Self { key, keys }
    }

    /// A signature in unpadded base64url; `None` where the key cannot sign.
    pub fn sign(&self, text: &str) -> Option<String> {
        self.key.sign(text.as_bytes())
    }

    /// Whether one of the keys has made this signature.
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        let mut keys = self.keys.keys().iter();
        keys.any(|key| key.verifies(text.as_bytes(), signature))
    }
}
