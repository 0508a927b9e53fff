//! Private keys, kept ready to sign.

use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;

use super::error::KeyError;
use super::pem;
use super::public::PublicKey;
use crate::token::Algorithm;

/// A key that signs.
pub(super) enum Signer {
    Secret(Arc<hmac::Key>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let der = || pem::private_key(text);
        match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                Err(KeyError::NotForSecret(algorithm))
            }
            Algorithm::Rs256 => Ok(Self::Rsa(rsa(algorithm, &der()?)?, &RSA_PKCS1_SHA256)),
            Algorithm::Ps256 => Ok(Self::Rsa(rsa(algorithm, &der()?)?, &RSA_PSS_SHA256)),
            Algorithm::Es256 => {
                ecdsa(algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING, &der()?).map(Self::Ecdsa)
            }
            Algorithm::Es384 => {
                ecdsa(algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING, &der()?).map(Self::Ecdsa)
            }
            Algorithm::EdDsa => ed25519(algorithm, &der()?).map(Self::Ed25519),
        }
    }

    /// The public half.
    pub(super) fn public_key(&self) -> Result<PublicKey, KeyError> {
        match self {
            Self::Secret(_) => Err(KeyError::NotPem),
            Self::Rsa(pair, _) => PublicKey::from_rsa(pair.public_key()),
            Self::Ecdsa(pair) => {
                PublicKey::from_point(pair.public_key().as_ref()).ok_or(KeyError::NotPem)
            }
            Self::Ed25519(pair) => Ok(PublicKey::Ed25519(pair.public_key().as_ref().to_vec())),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Secret(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Self::Ecdsa(pair) => Some(
                pair.sign(&SystemRandom::new(), message)
                    .ok()?
                    .as_ref()
                    .to_vec(),
            ),
            Self::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
        }
    }
}

fn rsa(algorithm: Algorithm, der: &PrivateKeyDer<'_>) -> Result<RsaKeyPair, KeyError> {
    let pair = match der {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(_) | _ => return Err(KeyError::OtherKind(algorithm)),
    };
    pair.map_err(|error| match error.to_string().as_str() {
        "TooSmall" => KeyError::RsaSize,
        _ => KeyError::OtherKind(algorithm),
    })
}

fn ecdsa(
    algorithm: Algorithm,
    curve: &'static EcdsaSigningAlgorithm,
    der: &PrivateKeyDer<'_>,
) -> Result<EcdsaKeyPair, KeyError> {
    let pair = match der {
        PrivateKeyDer::Pkcs8(key) => {
            EcdsaKeyPair::from_private_key_der(curve, key.secret_pkcs8_der())
        }
        PrivateKeyDer::Sec1(key) => {
            EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der())
        }
        PrivateKeyDer::Pkcs1(_) | _ => return Err(KeyError::OtherKind(algorithm)),
    };
    pair.map_err(|_| KeyError::OtherKind(algorithm))
}

fn ed25519(algorithm: Algorithm, der: &PrivateKeyDer<'_>) -> Result<Ed25519KeyPair, KeyError> {
    match der {
        // OpenSSL writes the first version of PKCS#8, without the public key
        PrivateKeyDer::Pkcs8(key) => {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der())
                .map_err(|_| KeyError::OtherKind(algorithm))
        }
        PrivateKeyDer::Pkcs1(_) | PrivateKeyDer::Sec1(_) | _ => Err(KeyError::OtherKind(algorithm)),
    }
}
