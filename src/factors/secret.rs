//! The secret that an authenticator app shares with the gateway.

use std::fmt;

use zeroize::Zeroizing;

use crate::text::base32;

/// What a new secret has: 160 bits, as RFC 4226 (section 4, R6) recommends.
const FRESH: usize = 20;

/// What an imported one has at the least. RFC 4226 asks for 128 bits; Google Authenticator and those after it made 80, and
/// guessing one of those is as hopeless.
const LEAST: usize = 10;

/// What one has at the most: a block of SHA-1, beyond which HMAC hashes it first.
const MOST: usize = 64;

/// The secret of one person's codes. It is overwritten when it is dropped, and cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<Box<[u8]>>);

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotpSecretError {
    /// It is not base32.
    NotBase32,
    /// It has less than 80 bits.
    Short,
    /// It has more than 512 bits.
    Long,
}

impl TotpSecret {
    /// A fresh one of these random bytes.
    pub fn fresh(random: &Zeroizing<[u8; FRESH]>) -> Self {
        Self(Zeroizing::new(random.as_slice().into()))
    }

    /// Reads one of 80 to 512 bits in base32; blanks, hyphens, case and padding do not matter.
    ///
    /// # Errors
    /// What is wrong with it. The error repeats nothing of the text.
    pub fn parse(text: &str) -> Result<Self, TotpSecretError> {
        let bytes = base32::decode(text).ok_or(TotpSecretError::NotBase32)?;
        let bytes = Zeroizing::new(bytes);
        match bytes.len() {
            ..LEAST => Err(TotpSecretError::Short),
            LEAST..=MOST => Ok(Self(Zeroizing::new(bytes.as_slice().into()))),
            _ => Err(TotpSecretError::Long),
        }
    }

    /// As base32 without padding, to be shown to its owner and written where only the gateway reads it.
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(base32::encode(&self.0))
    }

    /// Its bytes, the key of the HMAC.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret")
    }
}

impl fmt::Display for TotpSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBase32 => "it is not base32 (the letters A to Z and the digits 2 to 7)",
            Self::Short => "it has less than 80 bits (16 characters of base32)",
            Self::Long => "it has more than 512 bits",
        })
    }
}

impl std::error::Error for TotpSecretError {}

/// A secret as base32, for what is sealed: `#[serde(with = "secret_in_base32")]`.
pub mod secret_in_base32 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    use super::TotpSecret;

    /// Writes it.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<S: Serializer>(secret: &TotpSecret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&secret.to_base32())
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TotpSecret, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        TotpSecret::parse(&text).map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_it_is_shown_and_its_length_has_bounds() {
        let secret = TotpSecret::fresh(&Zeroizing::new([1; FRESH]));
        let shown = secret.to_base32();
        assert_eq!((shown.len(), secret.as_bytes().len()), (32, 20));
        assert_eq!(TotpSecret::parse(&shown).as_ref(), Ok(&secret));
        assert_ne!(TotpSecret::fresh(&Zeroizing::new([2; FRESH])), secret);
        let of = |bytes: usize| TotpSecret::parse(&base32::encode(&vec![7; bytes]));
        assert_eq!(of(9), Err(TotpSecretError::Short));
        assert!(of(10).is_ok() && of(64).is_ok());
        assert_eq!(of(65), Err(TotpSecretError::Long));
        assert_eq!(TotpSecret::parse("0189"), Err(TotpSecretError::NotBase32));
        assert_eq!(format!("{secret:?}"), "TotpSecret");
    }
}
