//! The name of a session, which every access token of the session carries as its claim `sid`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// 128 bits that name a session. It is no secret: whoever knows it can neither log in nor log out with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The session of these bytes, which must be random or a hash.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The session of a claim `sid`: our own form is read back, and names that others have chosen are hashed.
    pub(super) fn of_claim(sid: &str) -> Self {
        Self::parse(sid).unwrap_or_else(|| Self::hashed(b"sid", sid))
    }

    /// A token without a `sid` is a session of its own, so that it can be logged out as well. `signed` is what its
    /// signature is about.
    pub(super) fn of_token(signed: &str) -> Self {
        Self::hashed(b"token", signed)
    }

    /// Reads what `Display` writes: 22 characters of base64url (RFC 4648, section 5).
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    fn hashed(kind: &[u8], text: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update([0])
            .chain_update(text)
            .finalize();
        let (half, _) = digest.split_at(16);
        Self(
            half.try_into()
                .expect("half of a SHA-256 digest has 16 bytes"),
        )
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_spelling() {
        let id = SessionId::from_bytes([0xfb; 16]);
        assert_eq!(id.to_string(), "-_v7-_v7-_v7-_v7-_v7-w");
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "-_v7-_v7-_v7-_v7-_v7-w==",
            "-_v7-_v7-_v7-_v7-_v7-x",
            "+/v7+/v7+/v7+/v7+/v7+w",
            "abc",
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn foreign_names_and_tokens_are_sessions_too() {
        let id = SessionId::from_bytes([7; 16]);
        assert_eq!(SessionId::of_claim(&id.to_string()), id);
        let foreign = SessionId::of_claim("c0ffee");
        assert_eq!(foreign, SessionId::of_claim("c0ffee"));
        assert_ne!(foreign, SessionId::of_claim("c0ffef"));
        assert_ne!(foreign, SessionId::of_token("c0ffee"));
    }
}
