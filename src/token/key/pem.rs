//! Keys in PEM form (RFC 7468): which kind a block is, and its bytes.

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use zeroize::Zeroizing;

use super::error::KeyError;

/// One block.
struct Block(SectionKind, Vec<u8>);

impl PemObject for Block {
    fn from_pem(kind: SectionKind, bytes: Vec<u8>) -> Option<Self> {
        Some(Self(kind, bytes))
    }
}

/// Reads the one private key of a text: PKCS#8, PKCS#1 or SEC1. `openssl ecparam` writes the curve before it.
pub(super) fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, KeyError> {
    refuse_encrypted(text)?;
    let mut found = None;
    for block in blocks(text)? {
        match (block.0, found.is_some()) {
            (SectionKind::PrivateKey, false) => found = Some(PrivateKeyDer::Pkcs8(block.1.into())),
            (SectionKind::RsaPrivateKey, false) => {
                found = Some(PrivateKeyDer::Pkcs1(block.1.into()))
            }
            (SectionKind::EcPrivateKey, false) => found = Some(PrivateKeyDer::Sec1(block.1.into())),
            (
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey,
                true,
            ) => {
                return Err(KeyError::NotPem);
            }
            (SectionKind::PublicKey, _) => return Err(KeyError::NotPrivate),
            (SectionKind::Certificate, _) => return Err(KeyError::Certificate),
            _ => return Err(KeyError::NotPem),
        }
    }
    found.ok_or(KeyError::NotPem)
}

/// Reads the one public key of a text, as `SubjectPublicKeyInfo` (RFC 5280).
pub(super) fn public_key(text: &str) -> Result<Vec<u8>, KeyError> {
    refuse_encrypted(text)?;
    let mut blocks = blocks(text)?.into_iter();
    let (Some(Block(kind, bytes)), None) = (blocks.next(), blocks.next()) else {
        return Err(KeyError::NotPem);
    };
    match kind {
        SectionKind::PublicKey => Ok(bytes),
        SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
            drop(Zeroizing::new(bytes));
            Err(KeyError::NotPublic)
        }
        SectionKind::Certificate => Err(KeyError::Certificate),
        SectionKind::Crl | SectionKind::Csr | SectionKind::EchConfigList | _ => {
            Err(KeyError::NotPem)
        }
    }
}

/// Blocks of a kind that the parser does not know, such as curve parameters, are passed over by it.
fn blocks(text: &str) -> Result<Vec<Block>, KeyError> {
    Block::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, pem::Error>>()
        .map_err(|_| KeyError::NotPem)
}

fn refuse_encrypted(text: &str) -> Result<(), KeyError> {
    let encrypted = text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED");
    if encrypted {
        Err(KeyError::Encrypted)
    } else {
        Ok(())
    }
}
