//! Keys in PEM form (RFC 7468): which block a text holds. What is in it, jsonwebtoken reads.

use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroizing;

use super::error::KeyError;

/// The one key of a text, by the label of its block, and that block alone: jsonwebtoken reads the first block of a text,
/// whatever follows it.
pub(super) struct KeyBlock {
    pub(super) label: PemLabel,
    pub(super) der: Zeroizing<Vec<u8>>,
    pub(super) text: Zeroizing<String>,
}

/// The labels of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PemLabel {
    /// `PRIVATE KEY`: PKCS#8, of any kind.
    Pkcs8,
    /// `RSA PRIVATE KEY`: PKCS#1.
    Pkcs1,
    /// `EC PRIVATE KEY`: SEC1.
    Sec1,
    /// `PUBLIC KEY`: `SubjectPublicKeyInfo`, of any kind.
    Spki,
    /// `RSA PUBLIC KEY`: PKCS#1.
    Pkcs1Public,
}

impl KeyBlock {
    /// Reads the one private key of a text.
    pub(super) fn private(text: &str) -> Result<Self, KeyError> {
        let block = Self::only(text).map_err(|error| {
            if error == KeyError::Certificate {
                KeyError::CertificateForPrivate
            } else {
                error
            }
        })?;
        match block.label {
            PemLabel::Pkcs8 | PemLabel::Pkcs1 | PemLabel::Sec1 => Ok(block),
            PemLabel::Spki | PemLabel::Pkcs1Public => Err(KeyError::NotPrivate),
        }
    }

    /// Reads the one public key of a text.
    pub(super) fn public(text: &str) -> Result<Self, KeyError> {
        let block = Self::only(text).map_err(|error| {
            if error == KeyError::NotPem {
                KeyError::NotPublicPem
            } else {
                error
            }
        })?;
        match block.label {
            PemLabel::Spki | PemLabel::Pkcs1Public => Ok(block),
            PemLabel::Pkcs8 | PemLabel::Pkcs1 | PemLabel::Sec1 => Err(KeyError::NotPublic),
        }
    }

    fn only(text: &str) -> Result<Self, KeyError> {
        let blocks = pem::parse_many(text).map_err(|_| KeyError::NotPem)?;
        // one that breaks off is no block
        if blocks.len() != text.matches("-----BEGIN ").count() {
            return Err(KeyError::NotPem);
        }
        // `openssl ecparam -genkey` writes the curve before the key
        let blocks = blocks.into_iter();
        let mut keys = blocks.filter(|block| block.tag() != "EC PARAMETERS");
        let (Some(block), None) = (keys.next(), keys.next()) else {
            return Err(KeyError::NotPem);
        };
        let kind = block.headers().get("Proc-Type");
        if kind.is_some_and(|kind| kind.contains("ENCRYPTED")) {
            return Err(KeyError::Encrypted);
        }
        let label = label(block.tag())?;
        Ok(Self {
            label,
            text: write(&block),
            der: Zeroizing::new(block.into_contents()),
        })
    }
}

fn label(tag: &str) -> Result<PemLabel, KeyError> {
    match tag {
        "PRIVATE KEY" => Ok(PemLabel::Pkcs8),
        "RSA PRIVATE KEY" => Ok(PemLabel::Pkcs1),
        "EC PRIVATE KEY" => Ok(PemLabel::Sec1),
        "PUBLIC KEY" => Ok(PemLabel::Spki),
        "RSA PUBLIC KEY" => Ok(PemLabel::Pkcs1Public),
        "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
        "CERTIFICATE" => Err(KeyError::Certificate),
        _ => Err(KeyError::NotPem),
    }
}

/// A private key in PKCS#8, as a file holds it.
pub(in crate::token) fn private_key_text(pkcs8: Vec<u8>) -> Zeroizing<String> {
    write(&Pem::new("PRIVATE KEY", pkcs8))
}

pub(super) fn write(block: &Pem) -> Zeroizing<String> {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Zeroizing::new(pem::encode_config(block, config))
}
