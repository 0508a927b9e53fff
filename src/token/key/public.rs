//! Public keys: from PEM and from JSON Web Keys (RFC 7517), and back to those.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::KeyError;
use super::pem;
use crate::token::Algorithm;

/// What stands before the point in the `SubjectPublicKeyInfo` of an uncompressed P-256 key (RFC 5480).
const P256_PREFIX: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// The same for P-384.
const P384_PREFIX: &[u8] =
    b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
/// The same for Ed25519 (RFC 8410).
const ED25519_PREFIX: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// A public key, of a kind that an algorithm is known for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::token) enum PublicKey {
    /// Modulus and exponent, without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// x and y, 32 bytes each.
    P256([Vec<u8>; 2]),
    /// x and y, 48 bytes each.
    P384([Vec<u8>; 2]),
    /// The compressed point.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY`.
    pub(super) fn from_pem(text: &str) -> Result<Self, KeyError> {
        let info = pem::public_key(text)?;
        if let Some(key) = info.strip_prefix(ED25519_PREFIX) {
            return Ok(Self::Ed25519(key.to_vec()));
        }
        for prefix in [P256_PREFIX, P384_PREFIX] {
            if let Some(key) = info.strip_prefix(prefix) {
                return Self::from_point(key).ok_or(KeyError::NotPem);
            }
        }
        Self::from_rsa(&rsa::PublicKey::from_der(&info).map_err(|_| KeyError::NotPem)?)
    }

    /// Reads an uncompressed point; its length says on which curve.
    pub(super) fn from_point(point: &[u8]) -> Option<Self> {
        let (4, coordinates) = point.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        match coordinates.len() {
            64 => Some(Self::P256([x.to_vec(), y.to_vec()])),
            96 => Some(Self::P384([x.to_vec(), y.to_vec()])),
            _ => None,
        }
    }

    pub(super) fn from_rsa(key: &rsa::PublicKey) -> Result<Self, KeyError> {
        let modulus = key.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = key.exponent().big_endian_without_leading_zero().to_vec();
        check_rsa_size(&modulus)?;
        Ok(Self::Rsa { modulus, exponent })
    }

    /// Reads the members of a JSON Web Key; `None` for a kind that is not known here, private members or not.
    pub(in crate::token) fn from_jwk(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (modulus, exponent) = (without_zeros(bytes("n")?), without_zeros(bytes("e")?));
                check_rsa_size(&modulus).ok()?;
                Some(Self::Rsa { modulus, exponent })
            }
            // RFC 7518, section 6.2.1.2: coordinates have the full length of the curve's
            ("EC", Some("P-256")) => Some(Self::P256([
                sized(bytes("x")?, 32)?,
                sized(bytes("y")?, 32)?,
            ])),
            ("EC", Some("P-384")) => Some(Self::P384([
                sized(bytes("x")?, 48)?,
                sized(bytes("y")?, 48)?,
            ])),
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519(sized(bytes("x")?, 32)?)),
            _ => None,
        }
    }

    /// The required members, in the order of their names (RFC 7638, section 3.2).
    pub(in crate::token) fn members(&self) -> Vec<(&'static str, String)> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let curve = |name: &str, [x, y]: &[Vec<u8>; 2]| {
            vec![
                ("crv", name.to_owned()),
                ("kty", "EC".to_owned()),
                ("x", encode(x)),
                ("y", encode(y)),
            ]
        };
        match self {
            Self::Rsa { modulus, exponent } => {
                vec![
                    ("e", encode(exponent)),
                    ("kty", "RSA".to_owned()),
                    ("n", encode(modulus)),
                ]
            }
            Self::P256(point) => curve("P-256", point),
            Self::P384(point) => curve("P-384", point),
            Self::Ed25519(key) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", encode(key)),
            ],
        }
    }

    /// The thumbprint (RFC 7638): all members have values that JSON writes as they are.
    pub(super) fn thumbprint(&self) -> Box<str> {
        let members: Vec<String> = self
            .members()
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        URL_SAFE_NO_PAD
            .encode(Sha256::digest(format!("{{{}}}", members.join(","))))
            .into()
    }

    /// Whether an algorithm can be used with such a key.
    pub(in crate::token) fn suits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Self::P256(_) => algorithm == Algorithm::Es256,
            Self::P384(_) => algorithm == Algorithm::Es384,
            Self::Ed25519(_) => algorithm == Algorithm::EdDsa,
        }
    }

    /// The key ready to verify signatures of one algorithm. Points that are not on their curve are refused.
    pub(super) fn prepare(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyError> {
        let other = KeyError::OtherKind(algorithm);
        let point = |verification: &'static dyn VerificationAlgorithm, [x, y]: &[Vec<u8>; 2]| {
            ParsedPublicKey::new(verification, [&[4], x.as_slice(), y].concat()).map_err(|_| other)
        };
        match (self, algorithm) {
            (Self::Rsa { modulus, exponent }, Algorithm::Rs256) => {
                prepare_rsa(modulus, exponent, &RSA_PKCS1_2048_8192_SHA256).ok_or(other)
            }
            (Self::Rsa { modulus, exponent }, Algorithm::Ps256) => {
                prepare_rsa(modulus, exponent, &RSA_PSS_2048_8192_SHA256).ok_or(other)
            }
            (Self::P256(coordinates), Algorithm::Es256) => {
                point(&ECDSA_P256_SHA256_FIXED, coordinates)
            }
            (Self::P384(coordinates), Algorithm::Es384) => {
                point(&ECDSA_P384_SHA384_FIXED, coordinates)
            }
            (Self::Ed25519(key), Algorithm::EdDsa) => {
                ParsedPublicKey::new(&ED25519, key).map_err(|_| other)
            }
            (Self::Rsa { .. } | Self::P256(_) | Self::P384(_) | Self::Ed25519(_), _) => Err(other),
        }
    }
}

/// Only the parser of whole encodings looks whether modulus and exponent make sense together, so it has the last word.
fn prepare_rsa(
    modulus: &[u8],
    exponent: &[u8],
    algorithm: &'static RsaParameters,
) -> Option<ParsedPublicKey> {
    let key = RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    }
    .to_parsed_public_key(algorithm)
    .ok()?;
    ParsedPublicKey::new(algorithm, key.as_der().ok()?.as_ref()).ok()
}

fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyError> {
    let unused = modulus
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    let bits = modulus.len() * 8 - unused;
    if (2048..=8192).contains(&bits) {
        Ok(())
    } else {
        Err(KeyError::RsaSize)
    }
}

/// Some issuers write a leading zero before the modulus.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

fn sized(bytes: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    (bytes.len() == length).then_some(bytes)
}
