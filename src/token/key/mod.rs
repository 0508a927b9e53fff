//! Keys, each bound to one algorithm, parsed once and never printed.

mod error;
mod pem;
mod public;
mod signer;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use error::KeyError;
pub(super) use public::PublicKey;

use self::signer::Signer;
use super::Algorithm;

/// The fewest bytes of a shared secret.
pub const SECRET_BYTES: usize = 32;

/// A signing key, with the key that verifies what it signs.
#[derive(Clone)]
pub struct Key {
    signer: Arc<Signer>,
    verifying: VerifyingKey,
}

/// A key that verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    id: Box<str>,
    check: Check,
}

#[derive(Clone)]
enum Check {
    Secret(Arc<hmac::Key>),
    Public {
        key: Arc<ParsedPublicKey>,
        members: PublicKey,
    },
}

impl Key {
    /// An HS256 key from a shared secret.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] for a secret that could be guessed.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        Self::from_secret(Algorithm::Hs256, secret, None)
    }

    /// A key from a shared secret. Without `id` it is named by what only the secret's holder can compute.
    ///
    /// # Errors
    /// [`KeyError`] for a secret that could be guessed, and for an algorithm that needs a key pair.
    pub fn from_secret(
        algorithm: Algorithm,
        secret: &[u8],
        id: Option<&str>,
    ) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_secret(algorithm, secret, id)?;
        let key = Arc::new(hmac_key(algorithm, secret)?);
        Ok(Self {
            signer: Arc::new(Signer::Secret(key)),
            verifying,
        })
    }

    /// A key from a private key in PEM form: PKCS#8, PKCS#1 or SEC1. Without `id` it is named by its thumbprint
    /// (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] for anything but one private key of the kind that the algorithm needs.
    pub fn from_pem(algorithm: Algorithm, text: &str, id: Option<&str>) -> Result<Self, KeyError> {
        let signer = Signer::from_pem(algorithm, text)?;
        let verifying = VerifyingKey::from_public(algorithm, signer.public_key()?, id)?;
        Ok(Self {
            signer: Arc::new(signer),
            verifying,
        })
    }

    /// The key that verifies what this one signs.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The algorithm that tokens of this key must name.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm
    }

    /// The name of the key: `kid` (RFC 7515, section 4.1.4).
    pub fn id(&self) -> &str {
        &self.verifying.id
    }

    /// The signature of a message; `None` where the key cannot sign.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.signer.sign(message)
    }
}

impl VerifyingKey {
    /// A key from a shared secret, named as by [`Key::from_secret`].
    ///
    /// # Errors
    /// As there.
    pub fn from_secret(
        algorithm: Algorithm,
        secret: &[u8],
        id: Option<&str>,
    ) -> Result<Self, KeyError> {
        if secret.len() < SECRET_BYTES {
            return Err(KeyError::TooShort(algorithm, secret.len()));
        }
        let key = hmac_key(algorithm, secret)?;
        let id = id.map_or_else(|| name_of(&key), Into::into);
        Ok(Self {
            algorithm,
            id,
            check: Check::Secret(Arc::new(key)),
        })
    }

    /// A key from a PEM block `PUBLIC KEY`, named as by [`Key::from_pem`].
    ///
    /// # Errors
    /// [`KeyError`] for anything but one public key of the kind that the algorithm needs.
    pub fn from_pem(algorithm: Algorithm, text: &str, id: Option<&str>) -> Result<Self, KeyError> {
        if algorithm.is_symmetric() {
            return Err(KeyError::NotForSecret(algorithm));
        }
        Self::from_public(algorithm, PublicKey::from_pem(text)?, id)
    }

    pub(super) fn from_public(
        algorithm: Algorithm,
        members: PublicKey,
        id: Option<&str>,
    ) -> Result<Self, KeyError> {
        let key = Arc::new(members.prepare(algorithm)?);
        let id = id.map_or_else(|| members.thumbprint(), Into::into);
        Ok(Self {
            algorithm,
            id,
            check: Check::Public { key, members },
        })
    }

    /// The algorithm that tokens of this key must name.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key: `kid` (RFC 7515, section 4.1.4).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public part; `None` for a shared secret.
    pub(super) fn public(&self) -> Option<&PublicKey> {
        match &self.check {
            Check::Secret(_) => None,
            Check::Public { members, .. } => Some(members),
        }
    }

    /// Whether this is a signature of the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            Check::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Check::Public { key, .. } => key.verify_sig(message, signature).is_ok(),
        }
    }
}

fn hmac_key(algorithm: Algorithm, secret: &[u8]) -> Result<hmac::Key, KeyError> {
    let hash = match algorithm {
        Algorithm::Hs256 => hmac::HMAC_SHA256,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        Algorithm::Rs256
        | Algorithm::Ps256
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa => {
            return Err(KeyError::NotForSecret(algorithm));
        }
    };
    Ok(hmac::Key::new(hash, secret))
}

/// A name that says no more about a secret than any of its tokens does: a thumbprint would be a plain hash of it.
fn name_of(key: &hmac::Key) -> Box<str> {
    let tag = hmac::sign(key, b"gatelatch: the name of a key");
    URL_SAFE_NO_PAD.encode(&tag.as_ref()[..12]).into()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.algorithm(), self.id())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {})", self.algorithm, self.id)
    }
}

#[cfg(test)]
mod tests;
