//! What may be used once: who has used it before is refused.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::text::hex;

/// What something that is good once is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnceUse {
    /// The `state` of a sign-in at a provider.
    SignInState,
    /// The `jti` of a provider's logout token.
    LogoutToken,
    /// The name of a session that its provider has refused to confirm, by the provider.
    RefusedSession,
    /// What a right password gives who has yet to show a second factor.
    Continuation,
    /// A WebAuthn ceremony.
    Ceremony,
}

/// A name for something that is good once; a hash, so that the store does not hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnceKey([u8; 16]);

impl OnceKey {
    /// The key of a value that is good once for a use, such as the `jti` of a token, by whom it is issued.
    pub fn new(purpose: OnceUse, issuer: &str, value: &str) -> Self {
        let purpose: &[u8] = match purpose {
            OnceUse::SignInState => b"state",
            OnceUse::LogoutToken => b"logout",
            OnceUse::RefusedSession => b"refused",
            OnceUse::Continuation => b"continuation",
            OnceUse::Ceremony => b"ceremony",
        };
        Self(digest(&[purpose, issuer.as_bytes(), value.as_bytes()]))
    }

    pub(in crate::session) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(in crate::session) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The first half of a SHA-256 digest of parts, each with its length, so that they do not run into each other.
pub(in crate::session) fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        digest.chain_update(length.to_be_bytes()).chain_update(part)
    });
    let digest = digest.finalize();
    let (half, _) = digest.split_at(16);
    half.try_into()
        .expect("half of a SHA-256 digest has 16 bytes")
}

/// As it is named in a store.
impl fmt::Display for OnceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}
