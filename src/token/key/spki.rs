//! The public half of a private key, as a file that others may have.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use pem::Pem;

use super::error::KeyError;
use super::pem::{KeyBlock, PemLabel, write};
use crate::token::Algorithm;
use crate::token::algorithm::KeyKind;

/// The public key of a private key in PEM form, as a block `PUBLIC KEY`.
///
/// # Errors
/// [`KeyError`] for anything but one private key of the kind that the algorithm needs.
pub fn public_key_text(algorithm: Algorithm, text: &str) -> Result<String, KeyError> {
    let block = KeyBlock::private(text)?;
    let curve = match algorithm.kind() {
        KeyKind::Secret => return Err(KeyError::NotForSecret(algorithm)),
        KeyKind::P256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyKind::P384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyKind::P521 => Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
        KeyKind::Rsa | KeyKind::Ed25519 => None,
    };
    let der = &block.der;
    let other = KeyError::OtherKind(algorithm);
    let public = match curve {
        Some(curve) => spki(EcdsaKeyPair::from_private_key_der(curve, der).ok()),
        None if algorithm.kind() == KeyKind::Ed25519 => {
            spki(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok())
        }
        None if block.label == PemLabel::Pkcs1 => spki(RsaKeyPair::from_der(der).ok()),
        None => spki(RsaKeyPair::from_pkcs8(der).ok()),
    };
    let public = public.ok_or(other)?;
    Ok(write(&Pem::new("PUBLIC KEY", public)).to_string())
}

fn spki<P>(pair: Option<P>) -> Option<Vec<u8>>
where
    P: KeyPair,
    P::PublicKey: AsDer<PublicKeyX509Der<'static>>,
{
    let pair = pair?;
    let der = pair.public_key().as_der().ok()?;
    Some(der.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Key, VerifyingKey, generate};

    #[test]
    fn the_public_half_goes_by_the_name_of_the_key() {
        for algorithm in Algorithm::ALL {
            let Some(private) = generate(algorithm) else {
                assert!(algorithm.is_symmetric());
                continue;
            };
            let public = public_key_text(algorithm, &private).unwrap();
            let verifying = VerifyingKey::from_pem(algorithm, &public, None).unwrap();
            let key = Key::from_pem(algorithm, &private, None).unwrap();
            assert_eq!(verifying.id(), key.id(), "{algorithm}");
            assert!(public_key_text(algorithm, &public).is_err());
        }
    }
}
