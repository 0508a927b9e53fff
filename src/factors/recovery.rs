//! Recovery codes: for who has lost the app or the key. There are ten, each good once.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::text::{base32, hex};

/// How many codes are made together.
pub const RECOVERY_CODES: usize = 10;

/// The random bytes of a code: 80 bits, sixteen characters.
const BYTES: usize = 10;

/// How many characters stand together where a code is shown.
const GROUP: usize = 4;

/// A recovery code. It is overwritten when it is dropped, and cannot be printed but by [`RecoveryCode::shown`].
pub struct RecoveryCode(Zeroizing<[u8; BYTES]>);

/// What is kept of a recovery code: its SHA-256 digest, together with the handle of its owner.
///
/// It is a fast hash on purpose. A code has 80 random bits, so that whoever reads the digests finds none by trying: that takes 2^79
/// digests for each, where a password of a person's choice needs a slow hash to stand a thousand million. A slow one would only
/// make each sign-in pay for ten of them.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecoveryHash([u8; 32]);

impl RecoveryCode {
    /// Ten fresh codes of these random bytes.
    pub fn fresh(random: &Zeroizing<[u8; RECOVERY_CODES * BYTES]>) -> Vec<Self> {
        let (codes, _) = random.as_chunks::<BYTES>();
        codes
            .iter()
            .map(|code| Self(Zeroizing::new(*code)))
            .collect()
    }

    /// Reads a code as it is shown; case, blanks and hyphens do not matter, and `0`, `1` and `8` are taken for the letters that
    /// they look like.
    pub fn parse(text: &str) -> Option<Self> {
        let letter = |typed: char| match typed {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        };
        let letters: Zeroizing<String> = Zeroizing::new(text.chars().map(letter).collect());
        let bytes = Zeroizing::new(base32::decode(&letters)?);
        let code = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(code)))
    }

    /// As it is shown to its owner: `abcd-efgh-ijkl-mnop`.
    pub fn shown(&self) -> Zeroizing<String> {
        let letters = Zeroizing::new(base32::encode(&*self.0).to_ascii_lowercase());
        let mut shown = Zeroizing::new(String::with_capacity(letters.len() * 2));
        for (index, letter) in letters.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }

    /// What is kept of it for the owner of this handle.
    pub fn hash(&self, user_handle: &[u8; 16]) -> RecoveryHash {
        let digest = Sha256::new()
            .chain_update(b"gatelatch: recovery code 1")
            .chain_update(user_handle)
            .chain_update(*self.0);
        RecoveryHash(digest.finalize().into())
    }
}

impl From<RecoveryHash> for String {
    fn from(hash: RecoveryHash) -> Self {
        hex::encode(&hash.0)
    }
}

impl TryFrom<String> for RecoveryHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(&text).map(Self).ok_or("no digest")
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode")
    }
}

impl fmt::Debug for RecoveryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_codes_differ_and_each_is_read_as_people_type_it() {
        // as bytes of chance are: no two codes are alike
        let bytes = std::array::from_fn(|index| (index * 151 % 251) as u8);
        let codes = RecoveryCode::fresh(&Zeroizing::new(bytes));
        let mut hashes: Vec<String> = codes
            .iter()
            .map(|code| code.hash(&[1; 16]).into())
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), RECOVERY_CODES);
        for code in &codes {
            let (shown, hash) = (code.shown(), code.hash(&[1; 16]));
            assert_eq!(shown.len(), 19, "{}", *shown);
            let plain = shown.replace('-', "");
            let alike = shown.replace('o', "0").replace('i', "1").replace('b', "8");
            for typed in [
                &*shown,
                &plain,
                &shown.to_uppercase(),
                &shown.replace('-', " "),
                &alike,
            ] {
                assert_eq!(
                    RecoveryCode::parse(typed).unwrap().hash(&[1; 16]),
                    hash,
                    "{typed}"
                );
            }
            assert_ne!(code.hash(&[2; 16]), hash, "another owner's");
            assert!(RecoveryCode::parse(&shown[..18]).is_none());
            assert!(RecoveryCode::parse(&format!("{}a", *shown)).is_none());
        }
        assert!(RecoveryCode::parse("").is_none() && RecoveryCode::parse("287082").is_none());
    }

    #[test]
    fn a_hash_is_written_as_digits_and_a_code_is_not_printed() {
        let code = RecoveryCode(Zeroizing::new([7; 10]));
        let hash = code.hash(&[0; 16]);
        let text = serde_json::to_string(&hash).unwrap();
        assert_eq!(text.len(), 66);
        assert_eq!(serde_json::from_str::<RecoveryHash>(&text).unwrap(), hash);
        assert!(serde_json::from_str::<RecoveryHash>("\"07\"").is_err());
        assert_eq!(format!("{code:?} {hash:?}"), "RecoveryCode RecoveryHash");
    }
}
