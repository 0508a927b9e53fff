//! API keys: the passwords of programs. They are random, so one plain hash keeps them, and finds them.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::access::Identity;
use crate::text::hex;

/// How every API key starts, so that people and scanners know one when they see it.
pub const API_KEY_PREFIX: &str = "glk_";

/// The last second of the year 9999: until when a key without an end holds.
pub const NEVER: u64 = 253_402_300_799;

/// The SHA-256 of a key. It is compared in a hash table, in no constant time: what that could tell is how much of a
/// digest was right, and nobody can aim at a digest without the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

/// A key as the users file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// What the operator calls it.
    pub name: Box<str>,
    /// Finds it.
    pub digest: KeyDigest,
    /// The user, with the roles of the key.
    pub identity: Arc<Identity>,
    /// From this second since 1970 on it is refused; default [`NEVER`].
    pub expires_at: u64,
}

/// Why a key does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// No user has it.
    Unknown,
    /// Its time is over.
    Expired,
    /// Its user is disabled.
    Disabled,
}

impl KeyDigest {
    /// The digest of a key as it is sent; `None` for what is no key: `glk_` and 256 bits in base64url.
    pub fn of(key: &str) -> Option<Self> {
        let bytes = Zeroizing::new(
            URL_SAFE_NO_PAD
                .decode(key.strip_prefix(API_KEY_PREFIX)?)
                .ok()?,
        );
        (bytes.len() == 32).then(|| Self(Sha256::digest(key).into()))
    }

    /// Identifies the key in tokens that were issued for it: 22 characters of base64url. A new key under the old name has
    /// another one, and nobody finds a digest by it.
    pub fn fingerprint(&self) -> String {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(b"api key\0")
            .chain_update(self.0)
            .finalize()
            .into();
        URL_SAFE_NO_PAD.encode(&hash[..16])
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("sha256:").and_then(hex::decode).map(Self)
    }
}

/// The key of 256 random bits.
pub fn api_key(random: [u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "{API_KEY_PREFIX}{}",
        URL_SAFE_NO_PAD.encode(random)
    ))
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no user has it",
            Self::Expired => "it has expired",
            Self::Disabled => "its user is disabled",
        })
    }
}

impl std::error::Error for KeyRefusal {}

/// As it stands in the users file.
impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling() {
        let key = api_key([0xfb; 32]);
        assert_eq!(*key, "glk_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        let digest = KeyDigest::of(&key).unwrap();
        assert_eq!(KeyDigest::parse(&digest.to_string()), Some(digest));
        for other in [
            "",
            "glk_",
            "GLK_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
            "glk_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_t",
            "glk_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s=",
            "glk_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7",
            "glk_+/v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
        ] {
            assert_eq!(KeyDigest::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_digest_is_written_as_sha256sum_does() {
        // printf glk_… | sha256sum
        let digest = KeyDigest::of("glk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let expected = "sha256:c7e288077b2ef7b26d44c21f49404a8466f47fa23d94118c07d80c9c70a1fd72";
        assert_eq!(digest.to_string(), expected);
        for bad in [
            "",
            "sha256:",
            "sha1:00",
            &expected[..70],
            &expected.replace('4', "g"),
            "sha256:+1",
        ] {
            assert_eq!(KeyDigest::parse(bad), None, "{bad}");
        }
        assert_eq!(
            KeyDigest::parse(&expected.to_uppercase().replace("SHA", "sha")),
            KeyDigest::parse(expected)
        );
        assert_eq!(format!("{digest:?}"), "KeyDigest");
    }
}
