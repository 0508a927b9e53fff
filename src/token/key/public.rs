//! Public keys: from PEM and from JSON Web Keys (RFC 7517), and back to those. jsonwebtoken reads and writes them; what it
//! takes without a look, such as a point beside its curve, is refused here, when the key is loaded.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters,
    EllipticCurveKeyType, Jwk, RSAKeyParameters, RSAKeyType, ThumbprintHash,
};
use serde_json::{Map, Value};

use super::edwards;
use super::error::KeyError;
use super::pem::{KeyBlock, PemLabel};
use crate::token::Algorithm;
use crate::token::algorithm::KeyKind;

/// A public key of a kind that an algorithm is known for, with numbers that make sense.
#[derive(Clone, Debug)]
pub(in crate::token) struct PublicKey {
    kind: KeyKind,
    parameters: AlgorithmParameters,
    key: DecodingKey,
}

/// What checks the signatures of a public key.
#[derive(Clone)]
pub(super) enum PublicCheck {
    Library(jsonwebtoken::Algorithm, DecodingKey),
    /// ES512.
    P521(Arc<ParsedPublicKey>),
}

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`.
    pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let block = KeyBlock::public(text)?;
        let other = |_| KeyError::OtherKind(algorithm);
        match algorithm.kind() {
            KeyKind::Secret => Err(KeyError::NotForSecret(algorithm)),
            KeyKind::Rsa => Self::from_rsa_der(algorithm, &block),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
                let key = DecodingKey::from_ec_pem(block.text.as_bytes()).map_err(other)?;
                let point = key.try_get_as_bytes().map_err(other)?;
                let public = Self::from_point(algorithm, point)?;
                // the library passes over the name of the curve
                match curve(algorithm.kind()) {
                    Some((_, curve)) if ParsedPublicKey::new(curve, &*block.der).is_ok() => {
                        Ok(public)
                    }
                    Some(_) | None => Err(KeyError::OtherKind(algorithm)),
                }
            }
            KeyKind::Ed25519 => {
                let key = DecodingKey::from_ed_pem(block.text.as_bytes()).map_err(other)?;
                let jwk = Jwk::from_decoding_key(&key, None).map_err(other)?;
                Self::new(KeyKind::Ed25519, jwk.algorithm)
            }
        }
    }

    fn from_rsa_der(algorithm: Algorithm, block: &KeyBlock) -> Result<Self, KeyError> {
        let other = |_| KeyError::OtherKind(algorithm);
        let key = match DecodingKey::from_rsa_pem(block.text.as_bytes()) {
            Ok(key) => key,
            // the library does not know the name of keys for RSASSA-PSS alone (RFC 4055, section 1.2)
            Err(_) if block.label == PemLabel::Spki && algorithm.is_pss() => {
                let key = rsa::PublicKey::from_der(&block.der)
                    .map_err(|_| KeyError::OtherKind(algorithm))?;
                let key = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
                DecodingKey::from_rsa_raw_components(&key.n, &key.e)
            }
            Err(_) => return Err(KeyError::OtherKind(algorithm)),
        };
        Self::new(
            KeyKind::Rsa,
            Jwk::from_decoding_key(&key, None).map_err(other)?.algorithm,
        )
    }

    /// The public half of a private key that the library holds.
    pub(super) fn of(jwk: Jwk, algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::new(algorithm.kind(), jwk.algorithm)
    }

    /// Reads an uncompressed point (SEC1, section 2.3.3), which must be on the curve of the algorithm.
    pub(super) fn from_point(algorithm: Algorithm, point: &[u8]) -> Result<Self, KeyError> {
        let other = KeyError::OtherKind(algorithm);
        let (name, _) = curve(algorithm.kind()).ok_or(other)?;
        let size = coordinate_bytes(algorithm.kind());
        let (x, y) = match point {
            [4, both @ ..] if both.len() == 2 * size => both.split_at(size),
            [2 | 3, x @ ..] if x.len() == size => return Err(KeyError::Compressed),
            _ => return Err(other),
        };
        let parameters = EllipticCurveKeyParameters {
            key_type: EllipticCurveKeyType::EC,
            curve: name,
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        };
        let parameters = AlgorithmParameters::EllipticCurve(parameters);
        Self::new(algorithm.kind(), parameters)
    }

    /// The kind of a JSON Web Key; `None` for one that is not known here, and for shared secrets.
    pub(in crate::token) fn kind_of(members: &Map<String, Value>) -> Option<KeyKind> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        match (text("kty")?, text("crv")) {
            ("RSA", _) => Some(KeyKind::Rsa),
            ("EC", Some("P-256")) => Some(KeyKind::P256),
            ("EC", Some("P-384")) => Some(KeyKind::P384),
            ("EC", Some("P-521")) => Some(KeyKind::P521),
            ("OKP", Some("Ed25519")) => Some(KeyKind::Ed25519),
            _ => None,
        }
    }

    /// Reads the members of a JSON Web Key of this kind. Others than those of the public key are passed over: they may
    /// be of any type. Beside it what was wrong with it and is repaired.
    pub(in crate::token) fn from_jwk(
        kind: KeyKind,
        members: &Map<String, Value>,
    ) -> Result<(Self, Option<KeyError>), KeyError> {
        let needed: &[&'static str] = match kind {
            KeyKind::Secret => return Err(KeyError::Member("kty")),
            KeyKind::Rsa => &["n", "e"],
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => &["x", "y"],
            KeyKind::Ed25519 => &["x"],
        };
        for &name in needed {
            if !members.get(name).is_some_and(Value::is_string) {
                return Err(KeyError::Member(name));
            }
        }
        let known = ["kty", "crv"].iter().chain(needed);
        let mut known: Map<String, Value> = known
            .filter_map(|name| Some(((*name).to_owned(), members.get(*name)?.clone())))
            .collect();
        let repaired = fill_coordinates(kind, &mut known);
        let parameters =
            serde_json::from_value(Value::Object(known)).map_err(|_| KeyError::Member("kty"))?;
        Ok((Self::new(kind, parameters)?, repaired))
    }

    /// Refuses what verifies nothing or anything.
    fn new(kind: KeyKind, parameters: AlgorithmParameters) -> Result<Self, KeyError> {
        let parameters = match parameters {
            AlgorithmParameters::RSA(key) => AlgorithmParameters::RSA(checked_rsa(&key)?),
            AlgorithmParameters::EllipticCurve(key) => {
                let length = encoded_length(coordinate_bytes(kind));
                // RFC 7518, section 6.2.1.2: coordinates have the full length of the curve's
                for (name, coordinate) in [("x", &key.x), ("y", &key.y)] {
                    if coordinate.len() != length {
                        return Err(KeyError::Member(name));
                    }
                }
                AlgorithmParameters::EllipticCurve(key)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.x.len() == encoded_length(32) => {
                AlgorithmParameters::OctetKeyPair(key)
            }
            AlgorithmParameters::OctetKeyPair(_) => return Err(KeyError::Member("x")),
            AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_) | _ => {
                return Err(KeyError::Member("kty"));
            }
        };
        let key = DecodingKey::from_jwk(&jwk(&parameters)).map_err(|_| KeyError::Member("x"))?;
        let public = Self {
            kind,
            parameters,
            key,
        };
        public.check_point()?;
        Ok(public)
    }

    /// The library finds points that are not on their curve with each signature only, and then calls it a wrong one.
    fn check_point(&self) -> Result<(), KeyError> {
        let bytes = || self.key.try_get_as_bytes().unwrap_or_default();
        let (algorithm, is_valid) = match self.kind {
            KeyKind::Secret | KeyKind::Rsa => return Ok(()),
            KeyKind::P256 => (Algorithm::Es256, self.on_curve().is_some()),
            KeyKind::P384 => (Algorithm::Es384, self.on_curve().is_some()),
            KeyKind::P521 => (Algorithm::Es512, self.on_curve().is_some()),
            KeyKind::Ed25519 => (Algorithm::Ed25519, edwards::is_public_key(bytes())),
        };
        if is_valid {
            Ok(())
        } else {
            Err(KeyError::NotOnCurve(algorithm))
        }
    }

    fn on_curve(&self) -> Option<ParsedPublicKey> {
        let (_, curve) = curve(self.kind)?;
        ParsedPublicKey::new(curve, self.key.try_get_as_bytes().ok()?).ok()
    }

    /// The key as a JSON Web Key, for one algorithm and under this `kid`. The library has no word for each `alg`.
    pub(in crate::token) fn to_jwk(&self, algorithm: Algorithm, id: &str) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(&self.parameters) else {
            return Map::new();
        };
        let more = [("kid", id), ("alg", algorithm.name()), ("use", "sig")];
        members.extend(more.map(|(name, value)| (name.to_owned(), value.into())));
        members
    }

    /// The thumbprint (RFC 7638).
    pub(super) fn thumbprint(&self) -> Result<Box<str>, KeyError> {
        let thumbprint = jwk(&self.parameters).thumbprint(ThumbprintHash::SHA256);
        Ok(thumbprint.map_err(|_| KeyError::Member("kty"))?.into())
    }

    /// Whether an algorithm can be used with such a key.
    pub(in crate::token) fn suits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.kind()
    }

    /// The key ready to verify signatures of one algorithm.
    pub(super) fn prepare(&self, algorithm: Algorithm) -> Result<PublicCheck, KeyError> {
        let other = KeyError::OtherKind(algorithm);
        if !self.suits(algorithm) {
            return Err(other);
        }
        match algorithm.in_library() {
            Some(library) => Ok(PublicCheck::Library(library, self.key.clone())),
            None => {
                let key = self.on_curve().ok_or(other)?;
                Ok(PublicCheck::P521(Arc::new(key)))
            }
        }
    }
}

/// Only the parser of whole encodings looks whether modulus and exponent make sense together. Some issuers write a
/// leading zero before the modulus, which is taken away.
fn checked_rsa(key: &RSAKeyParameters) -> Result<RSAKeyParameters, KeyError> {
    let number = |name, text: &str| {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| KeyError::Member(name))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(bytes[zeros..].to_vec())
    };
    let (n, e) = (number("n", &key.n)?, number("e", &key.e)?);
    let bits = n.first().map_or(0, |first| {
        n.len() as u64 * 8 - u64::from(first.leading_zeros())
    });
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::RsaSize(bits));
    }
    let parameters = RSAKeyParameters {
        key_type: RSAKeyType::RSA,
        n: URL_SAFE_NO_PAD.encode(&n),
        e: URL_SAFE_NO_PAD.encode(&e),
    };
    let parse = || {
        let key = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .ok()?;
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_der().ok()?.as_ref()).ok()
    };
    parse().map(|_| parameters).ok_or(KeyError::RsaNumbers)
}

fn jwk(parameters: &AlgorithmParameters) -> Jwk {
    Jwk {
        common: CommonParameters::default(),
        algorithm: parameters.clone(),
    }
}

fn curve(kind: KeyKind) -> Option<(EllipticCurve, &'static EcdsaVerificationAlgorithm)> {
    match kind {
        KeyKind::P256 => Some((EllipticCurve::P256, &ECDSA_P256_SHA256_FIXED)),
        KeyKind::P384 => Some((EllipticCurve::P384, &ECDSA_P384_SHA384_FIXED)),
        KeyKind::P521 => Some((EllipticCurve::P521, &ECDSA_P521_SHA512_FIXED)),
        KeyKind::Secret | KeyKind::Rsa | KeyKind::Ed25519 => None,
    }
}

/// Some libraries write the coordinates of a point as numbers, without leading zeros. What is too short otherwise does not
/// lie on the curve.
fn fill_coordinates(kind: KeyKind, members: &mut Map<String, Value>) -> Option<KeyError> {
    curve(kind)?;
    let size = coordinate_bytes(kind);
    let mut repaired = None;
    for name in ["x", "y"] {
        let written = members.get(name)?.as_str()?;
        let bytes = URL_SAFE_NO_PAD.decode(written).ok()?;
        if (1..size).contains(&bytes.len()) {
            let full = [vec![0; size - bytes.len()], bytes].concat();
            members.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(full).into());
            repaired = Some(KeyError::ShortCoordinate(name));
        }
    }
    repaired
}

/// RFC 7518, section 6.2.1.2.
fn coordinate_bytes(kind: KeyKind) -> usize {
    match kind {
        KeyKind::P256 | KeyKind::Ed25519 => 32,
        KeyKind::P384 => 48,
        KeyKind::P521 => 66,
        KeyKind::Secret | KeyKind::Rsa => 0,
    }
}

/// How many characters of unpadded base64 so many bytes have.
fn encoded_length(bytes: usize) -> usize {
    (bytes * 8).div_ceil(6)
}
