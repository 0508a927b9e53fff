//! Programs that are no users: the clients that may ask about tokens and end them.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::text::hex;

/// A client of `auth.clients`. Its secret is random, as an API key is: one hash keeps it, and nobody guesses it, however
/// often wrong ones are sent.
#[derive(Clone)]
pub struct RegisteredClient {
    /// `client_id`.
    pub id: Box<str>,
    digest: [u8; 32],
}

impl RegisteredClient {
    /// The client with this secret.
    pub fn with_secret(id: &str, secret: &str) -> Self {
        Self {
            id: id.into(),
            digest: Sha256::digest(secret).into(),
        }
    }

    /// The client whose secret has this hash: `sha256:` and 64 hexadecimal digits. `None` for any other text.
    pub fn with_hash(id: &str, hash: &str) -> Option<Self> {
        Some(Self {
            id: id.into(),
            digest: hash.strip_prefix("sha256:").and_then(hex::decode)?,
        })
    }

    /// Whether this is its secret. It takes the same time for every wrong one of the same length.
    pub fn has_secret(&self, shown: &str) -> bool {
        let shown = Sha256::digest(shown);
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.digest, &shown).is_ok()
    }
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisteredClient({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_its_hash_are_one_client() {
        let plain = RegisteredClient::with_secret("ci", "abc");
        // printf %s abc | sha256sum
        let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hashed = RegisteredClient::with_hash("ci", hash).unwrap();
        for client in [&plain, &hashed] {
            assert!(client.has_secret("abc"));
            for wrong in ["", "ab", "abcd", "ABC", hash] {
                assert!(!client.has_secret(wrong), "{wrong}");
            }
        }
        for bad in ["", "abc", "sha256:", &hash[..70], "$2b$12$abc"] {
            assert!(RegisteredClient::with_hash("ci", bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{hashed:?}"), "RegisteredClient(ci)");
    }
}
