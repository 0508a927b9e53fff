//! New private keys. The cryptography draws the randomness itself.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Algorithm;

/// A new private key in PEM form (PKCS#8), RSA with 3072 bits; `None` for an algorithm of shared secrets, and where the
/// system has no random source.
pub fn generate(algorithm: Algorithm) -> Option<Zeroizing<String>> {
    let random = SystemRandom::new();
    let der = match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
        Algorithm::Rs256 | Algorithm::Ps256 => RsaKeyPair::generate(KeySize::Rsa3072)
            .ok()?
            .as_der()
            .ok()?
            .as_ref()
            .to_vec(),
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .ok()?
            .as_ref()
            .to_vec(),
        Algorithm::Es384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)
            .ok()?
            .as_ref()
            .to_vec(),
        // the first version of PKCS#8, which every tool reads
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&random)
            .ok()?
            .as_ref()
            .to_vec(),
    };
    Some(pem(&Zeroizing::new(der)))
}

fn pem(der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    // enough from the start: a string that grows leaves copies behind that nobody wipes
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 66 / 64 + 100));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
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
