//! Refresh tokens: opaque, random, and known to the store as a digest only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::token::SessionId;

/// How a refresh token begins, so that scanners for leaked secrets know one when they see it.
const PREFIX: &str = "glr_";

const HANDLE: usize = 16;
const SECRET: usize = 32;

/// What a client shows to get new tokens. It is never printed.
///
/// Its first 128 bits are the same for all refresh tokens of a session, and only they know them; the session's name is
/// a hash of them. Whoever shows a known handle with an unknown secret therefore once had a token of that session, so
/// spent tokens are recognised for ever without being kept. The other 256 bits are new at every rotation.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    handle: Zeroizing<[u8; HANDLE]>,
    secret: Zeroizing<[u8; SECRET]>,
}

/// The SHA-256 digest of a refresh token: what a store keeps of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl RefreshToken {
    /// The first token of a new session, from random bytes.
    pub fn first(handle: [u8; HANDLE], secret: [u8; SECRET]) -> Self {
        Self {
            handle: handle.into(),
            secret: secret.into(),
        }
    }

    /// The next token of the same session, from random bytes.
    pub fn next(&self, secret: [u8; SECRET]) -> Self {
        Self {
            handle: self.handle.clone(),
            secret: secret.into(),
        }
    }

    /// Whether a text says that it is a refresh token. Nothing is verified.
    pub fn is_claimed_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a token that a client shows; `None` where it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        let (handle, secret) = bytes.split_at_checked(HANDLE)?;
        Some(Self::first(
            handle.try_into().ok()?,
            secret.try_into().ok()?,
        ))
    }

    /// The token as the client gets it: 68 visible characters.
    pub fn expose(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&self.handle[..], &self.secret[..]].concat());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 64));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&*bytes, &mut text);
        text
    }

    /// The session it belongs to.
    pub fn session(&self) -> SessionId {
        let digest = Sha256::new()
            .chain_update(b"session\0")
            .chain_update(*self.handle)
            .finalize();
        let (half, _) = digest.split_at(16);
        SessionId::from_bytes(
            half.try_into()
                .expect("half of a SHA-256 digest has 16 bytes"),
        )
    }

    pub(super) fn digest(&self) -> Digest {
        Digest(
            Sha256::new()
                .chain_update(*self.handle)
                .chain_update(*self.secret)
                .finalize()
                .into(),
        )
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken(of {})", self.session())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a digest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is() {
        let token = RefreshToken::first([1; 16], [2; 32]);
        let text = token.expose();
        assert_eq!((text.len(), &text[..8]), (68, "glr_AQEB"));
        assert_eq!(RefreshToken::parse(&text), Some(token));
        let long = format!("{}AA", *text);
        for wrong in [
            "",
            "glr_",
            "glr_AQEB",
            &text[4..],
            &text[..67],
            &long,
            &text.replace('_', "-"),
        ] {
            assert_eq!(RefreshToken::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_tokens_of_a_session_share_its_name_and_nothing_that_is_printed() {
        let first = RefreshToken::first([1; 16], [2; 32]);
        let next = first.next([3; 32]);
        assert_eq!(first.session(), next.session());
        assert_ne!(
            first.session(),
            RefreshToken::first([4; 16], [2; 32]).session()
        );
        assert_ne!(first.digest(), next.digest());
        assert_eq!(format!("{first:?}"), format!("{next:?}"));
        assert!(!format!("{first:?} {:?}", first.digest()).contains("AQEB"));
    }
}
