//! Private keys. jsonwebtoken reads them and signs with them; keys for P-521, which it does not know, are read by the
//! cryptography itself.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, crypto};
use simple_asn1::{ASN1Block, oid};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::pem::{KeyBlock, PemLabel};
use super::public::PublicKey;
use crate::token::Algorithm;
use crate::token::algorithm::KeyKind;

/// A key that signs.
pub(super) enum Signer {
    Library(jsonwebtoken::Algorithm, EncodingKey),
    /// ES512.
    P521(EcdsaKeyPair),
}

impl Signer {
    /// Reads a private key, and its public half.
    pub(super) fn from_pem(
        algorithm: Algorithm,
        text: &str,
    ) -> Result<(Self, PublicKey), KeyError> {
        let block = || KeyBlock::private(text);
        let on_curve = |curve| library(algorithm, ecdsa(algorithm, curve, &block()?)?);
        match algorithm.kind() {
            KeyKind::Secret => Err(KeyError::NotForSecret(algorithm)),
            KeyKind::Rsa => library(algorithm, rsa(algorithm, &block()?)?),
            KeyKind::P256 => on_curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => on_curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyKind::P521 => {
                let pair = EcdsaKeyPair::from_private_key_der(
                    &ECDSA_P521_SHA512_FIXED_SIGNING,
                    &block()?.der,
                );
                let pair = pair.map_err(|_| KeyError::OtherKind(algorithm))?;
                let public = PublicKey::from_point(algorithm, pair.public_key().as_ref())?;
                Ok((Self::P521(pair), public))
            }
            KeyKind::Ed25519 => library(algorithm, ed25519(algorithm, &block()?)?),
        }
    }

    /// A shared secret, of one byte at least.
    pub(super) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        match algorithm.in_library() {
            Some(library) if algorithm.is_symmetric() => {
                let key = EncodingKey::from_secret(secret)
                    .map_err(|_| KeyError::TooShort(algorithm, secret.len()))?;
                Ok(Self::Library(library, key))
            }
            Some(_) | None => Err(KeyError::NotForSecret(algorithm)),
        }
    }

    /// The private key in DER, or the shared secret; `None` where the cryptography does not give it away.
    pub(super) fn material(&self) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match self {
            Self::Library(_, key) => key.as_bytes().to_vec(),
            Self::P521(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
        };
        Some(Zeroizing::new(bytes))
    }

    /// The signature of a message in base64url; `None` where the key cannot sign.
    pub(super) fn sign(&self, message: &[u8]) -> Option<String> {
        match self {
            Self::Library(algorithm, key) => crypto::sign(message, key, *algorithm).ok(),
            Self::P521(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).ok()?;
                Some(URL_SAFE_NO_PAD.encode(signature))
            }
        }
    }
}

fn library(algorithm: Algorithm, key: EncodingKey) -> Result<(Signer, PublicKey), KeyError> {
    let other = KeyError::OtherKind(algorithm);
    let library = algorithm.in_library().ok_or(other)?;
    let jwk = Jwk::from_encoding_key(&key, library).map_err(|_| match algorithm.kind() {
        // of the right kind and size
        KeyKind::Rsa => KeyError::RsaNumbers,
        KeyKind::Secret | KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => other,
    })?;
    let public = PublicKey::of(jwk, algorithm)?;
    Ok((Signer::Library(library, key), public))
}

fn rsa(algorithm: Algorithm, block: &KeyBlock) -> Result<EncodingKey, KeyError> {
    let other = KeyError::OtherKind(algorithm);
    let key = match EncodingKey::from_rsa_pem(block.text.as_bytes()) {
        Ok(key) => key,
        Err(_) if algorithm.is_pss() => {
            EncodingKey::from_rsa_der(&pss_only(&block.der).ok_or(other)?)
        }
        Err(_) => return Err(other),
    };
    // the library says of a key of another size that it is none
    match modulus_bits(key.as_bytes()) {
        Some(bits) if !(2048..=8192).contains(&bits) => Err(KeyError::RsaSize(bits)),
        Some(_) => Ok(key),
        None => Err(other),
    }
}

/// The bits of the modulus in an `RSAPrivateKey` (RFC 8017, appendix A.1.2): version, modulus, exponents, primes.
fn modulus_bits(der: &[u8]) -> Option<u64> {
    match simple_asn1::from_der(der).ok()?.as_slice() {
        [ASN1Block::Sequence(_, numbers)] => match numbers.as_slice() {
            [ASN1Block::Integer(..), ASN1Block::Integer(_, modulus), ..] => Some(modulus.bits()),
            _ => None,
        },
        _ => None,
    }
}

/// The `RSAPrivateKey` of a PKCS#8 key for RSASSA-PSS alone (RFC 4055, section 1.2), whose name the library does not know.
fn pss_only(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let blocks = simple_asn1::from_der(pkcs8).ok()?;
    let [ASN1Block::Sequence(_, key)] = blocks.as_slice() else {
        return None;
    };
    let [
        _,
        ASN1Block::Sequence(_, kind),
        ASN1Block::OctetString(_, key),
        ..,
    ] = key.as_slice()
    else {
        return None;
    };
    match kind.first() {
        Some(ASN1Block::ObjectIdentifier(_, name))
            if *name == oid!(1, 2, 840, 113_549, 1, 1, 10) =>
        {
            Some(key.clone())
        }
        Some(_) | None => None,
    }
}

fn ecdsa(
    algorithm: Algorithm,
    curve: &'static EcdsaSigningAlgorithm,
    block: &KeyBlock,
) -> Result<EncodingKey, KeyError> {
    let other = KeyError::OtherKind(algorithm);
    if block.label != PemLabel::Sec1 {
        return EncodingKey::from_ec_pem(block.text.as_bytes()).map_err(|_| other);
    }
    // the library reads PKCS#8 alone
    let pair = EcdsaKeyPair::from_private_key_der(curve, &block.der).map_err(|_| other)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| other)?;
    Ok(EncodingKey::from_ec_der(pkcs8.as_ref()))
}

fn ed25519(algorithm: Algorithm, block: &KeyBlock) -> Result<EncodingKey, KeyError> {
    let other = KeyError::OtherKind(algorithm);
    let key = EncodingKey::from_ed_pem(block.text.as_bytes()).map_err(|_| other)?;
    // the library reads the first version of PKCS#8 alone, without attributes and public key
    let pair = Ed25519KeyPair::from_pkcs8(key.as_bytes()).map_err(|_| other)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| other)?;
    Ok(EncodingKey::from_ed_der(pkcs8.as_ref()))
}
