//! Keys, each bound to one algorithm and never printed.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// The fewest bytes an HS256 secret may have: the length of its output (RFC 7518, section 3.2).
pub const HS256_BYTES: usize = 32;

/// A signing and verifying key for exactly one algorithm.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    name: &'static str,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// Why some bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// An HMAC secret of so many bytes, fewer than [`HS256_BYTES`].
    TooShort(usize),
}

impl Key {
    /// An HS256 key from a shared secret.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] for a secret that could be guessed.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < HS256_BYTES {
            return Err(KeyError::TooShort(secret.len()));
        }
        Ok(Self {
            algorithm: Algorithm::HS256,
            name: "HS256",
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        })
    }

    /// The algorithm that tokens of this key must name.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The algorithm as `alg` spells it (RFC 7518, section 3.1); case counts.
    pub fn algorithm_name(&self) -> &'static str {
        self.name
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(bytes) => {
                write!(
                    f,
                    "a secret of {bytes} bytes; HS256 needs at least {HS256_BYTES}, e.g. from `openssl rand -base64 48`"
                )
            }
        }
    }
}

impl std::error::Error for KeyError {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.algorithm)
    }
}
