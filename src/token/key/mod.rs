//! Keys, each bound to one algorithm, parsed once and never printed. jsonwebtoken reads keys, signs and checks signatures.
//!
//! Two checks are made beside it. ES512, because it does not have it. And HMAC: it prepares the key and allocates with each
//! token, which would make an HS256 token that is seen for the first time a sixth dearer (0.26 of 1.7 µs, `benches/token`),
//! so the prepared key is kept here.

mod edwards;
mod error;
mod pem;
mod public;
mod sealing;
mod signer;
mod spki;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;
use serde_json::{Map, Value, json};

pub use error::{KeyError, SECRET_BYTES};
pub(super) use pem::private_key_text;
pub(super) use public::PublicKey;
pub(super) use sealing::SealingKey;
pub use spki::public_key_text;

use self::public::PublicCheck;
use self::signer::Signer;
use super::Algorithm;

/// A signing key, with the key that verifies what it signs. It has done both once.
#[derive(Clone)]
pub struct Key {
    signer: Arc<Signer>,
    verifying: VerifyingKey,
    sealing: SealingKey,
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
    Secret(Arc<(hmac::Key, SealingKey)>),
    Public(Arc<(PublicCheck, PublicKey)>),
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
        let sealing = SealingKey::derive(secret);
        Self::proved(Signer::from_secret(algorithm, secret)?, verifying, sealing)
    }

    /// A key from a private key in PEM form: PKCS#8, PKCS#1 or SEC1. Without `id` it is named by its thumbprint
    /// (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] for anything but one private key of the kind that the algorithm needs.
    pub fn from_pem(algorithm: Algorithm, text: &str, id: Option<&str>) -> Result<Self, KeyError> {
        let (signer, public) = Signer::from_pem(algorithm, text)?;
        let verifying = VerifyingKey::from_public(algorithm, public, id)?;
        let material = signer
            .material()
            .ok_or(KeyError::Unproven(verifying.algorithm))?;
        Self::proved(signer, verifying, SealingKey::derive(&material))
    }

    /// A key from a private key of any kind, for the first algorithm that needs such a key.
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_any_pem(text: &str, id: Option<&str>) -> Result<Self, KeyError> {
        const FIRST: Algorithm = Algorithm::Rs256;
        let others = [
            Algorithm::Ps256,
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::EdDsa,
        ];
        let first = Self::from_pem(FIRST, text, id);
        others.into_iter().fold(first, |key, algorithm| match key {
            Err(KeyError::OtherKind(_)) => Self::from_pem(algorithm, text, id),
            found => found,
        })
    }

    /// Signs and verifies once: a key whose halves do not fit would sign tokens that nobody accepts.
    fn proved(
        signer: Signer,
        verifying: VerifyingKey,
        sealing: SealingKey,
    ) -> Result<Self, KeyError> {
        const MESSAGE: &[u8] = b"gatelatch: a key is proved";
        let signature = signer.sign(MESSAGE);
        if signature.is_some_and(|signature| verifying.verifies(MESSAGE, &signature)) {
            Ok(Self {
                signer: Arc::new(signer),
                verifying,
                sealing,
            })
        } else {
            Err(KeyError::Unproven(verifying.algorithm))
        }
    }

    /// The key that verifies what this one signs.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The algorithm that tokens of this key name.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm
    }

    /// The name of the key: `kid` (RFC 7515, section 4.1.4).
    pub fn id(&self) -> &str {
        &self.verifying.id
    }

    /// What the key seals with.
    pub(super) fn sealing(&self) -> &SealingKey {
        &self.sealing
    }

    /// The signature of a message, in unpadded base64url; `None` where the key cannot sign.
    pub(super) fn sign(&self, message: &[u8]) -> Option<String> {
        self.signer.sign(message)
    }

    /// A token in compact form that makes these claims (RFC 7515, section 7.1); `None` where the key cannot sign.
    pub fn encode(&self, claims: &Map<String, Value>) -> Option<String> {
        let algorithm = self.algorithm();
        match &*self.signer {
            Signer::Library(library, key) if algorithm.is_library_name() => {
                let header = jsonwebtoken::Header {
                    kid: Some(self.id().to_owned()),
                    ..jsonwebtoken::Header::new(*library)
                };
                jsonwebtoken::encode(&header, claims, key).ok()
            }
            // the library writes no header with the names `ES512` and `Ed25519`
            Signer::Library(..) | Signer::P521(_) => {
                let header = json!({ "typ": "JWT", "alg": algorithm.name(), "kid": self.id() });
                let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).ok()?, &mut token);
                let signature = self.signer.sign(token.as_bytes())?;
                Some(format!("{token}.{signature}"))
            }
        }
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
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::Es512
            | Algorithm::Ed25519
            | Algorithm::EdDsa => return Err(KeyError::NotForSecret(algorithm)),
        };
        if secret.len() < SECRET_BYTES {
            return Err(KeyError::TooShort(algorithm, secret.len()));
        }
        let key = hmac::Key::new(hash, secret);
        let id = id.map_or_else(|| name_of(&key), Into::into);
        Ok(Self {
            algorithm,
            id,
            check: Check::Secret(Arc::new((key, SealingKey::derive(secret)))),
        })
    }

    /// A key from a PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`, named as by [`Key::from_pem`].
    ///
    /// # Errors
    /// [`KeyError`] for anything but one public key of the kind that the algorithm needs.
    pub fn from_pem(algorithm: Algorithm, text: &str, id: Option<&str>) -> Result<Self, KeyError> {
        Self::from_public(algorithm, PublicKey::from_pem(algorithm, text)?, id)
    }

    pub(super) fn from_public(
        algorithm: Algorithm,
        public: PublicKey,
        id: Option<&str>,
    ) -> Result<Self, KeyError> {
        let check = public.prepare(algorithm)?;
        let id = match id {
            Some(id) => id.into(),
            None => public.thumbprint()?,
        };
        Ok(Self {
            algorithm,
            id,
            check: Check::Public(Arc::new((check, public))),
        })
    }

    /// The algorithm that tokens of this key must name; of the two names of Ed25519 they may carry either.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the key: `kid` (RFC 7515, section 4.1.4).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as a JSON Web Key; `None` for a shared secret.
    pub(super) fn to_jwk(&self) -> Option<Map<String, Value>> {
        match &self.check {
            Check::Secret(_) => None,
            Check::Public(key) => Some(key.1.to_jwk(self.algorithm, &self.id)),
        }
    }

    /// What a shared secret seals with; `None` for a public key.
    pub(super) fn sealing(&self) -> Option<&SealingKey> {
        match &self.check {
            Check::Secret(secret) => Some(&secret.1),
            Check::Public(_) => None,
        }
    }

    /// What tells it from other keys of its set, but for the algorithm.
    pub(super) fn fingerprint(&self) -> (&str, String) {
        let number = match &self.check {
            Check::Secret(_) => String::new(),
            Check::Public(key) => key.1.thumbprint().unwrap_or_default().into(),
        };
        (&self.id, number)
    }

    /// Whether this is a signature of the message, in unpadded base64url.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let bytes = || URL_SAFE_NO_PAD.decode(signature);
        match &self.check {
            Check::Secret(key) => {
                bytes().is_ok_and(|bytes| hmac::verify(&key.0, message, &bytes).is_ok())
            }
            Check::Public(check) => match &check.0 {
                PublicCheck::Library(algorithm, key) => {
                    crypto::verify(signature, message, key, *algorithm).unwrap_or(false)
                }
                PublicCheck::P521(key) => {
                    bytes().is_ok_and(|bytes| key.verify_sig(message, &bytes).is_ok())
                }
            },
        }
    }
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
