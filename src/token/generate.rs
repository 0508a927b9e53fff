//! New private keys. The cryptography draws the randomness itself.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RsaKeyPair,
};
use zeroize::Zeroizing;

use super::Algorithm;
use super::algorithm::KeyKind;
use super::key::private_key_text;

/// A new private key in PEM form (PKCS#8), RSA with 3072 bits; `None` for an algorithm of shared secrets, and where the
/// system has no random source.
pub fn generate(algorithm: Algorithm) -> Option<Zeroizing<String>> {
    let der = match algorithm.kind() {
        KeyKind::Secret => return None,
        KeyKind::Rsa => {
            let key = RsaKeyPair::generate(KeySize::Rsa3072).ok()?;
            key.as_der().ok()?.as_ref().to_vec()
        }
        KeyKind::P256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        KeyKind::P384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
        KeyKind::P521 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING)?,
        // the first version of PKCS#8, which every tool reads
        KeyKind::Ed25519 => {
            let key = Ed25519KeyPair::generate().ok()?;
            key.to_pkcs8v1().ok()?.as_ref().to_vec()
        }
    };
    Some(private_key_text(der))
}

fn ecdsa(curve: &'static EcdsaSigningAlgorithm) -> Option<Vec<u8>> {
    let key = EcdsaKeyPair::generate(curve).ok()?;
    Some(key.to_pkcs8v1().ok()?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Key;

    #[test]
    fn a_new_key_is_read_again() {
        for algorithm in Algorithm::ALL
            .into_iter()
            .filter(|algorithm| !algorithm.is_symmetric())
        {
            let (one, other) = (generate(algorithm).unwrap(), generate(algorithm).unwrap());
            let [one, other] =
                [one, other].map(|text| Key::from_pem(algorithm, &text, None).unwrap());
            assert_ne!(one.id(), other.id(), "{algorithm}");
        }
        assert!(generate(Algorithm::Hs256).is_none());
    }
}
