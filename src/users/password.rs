//! Password hashes, validated when they are loaded, and the candidates that are checked against them.

use std::fmt;

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use zeroize::Zeroizing;

use super::argon;
use super::hash_error::HashError;
use super::hash_kind::{refused, unwrapped};
use super::work::Work;

/// The most bytes that bcrypt looks at; it ignores all that follow.
const BCRYPT_BYTES: usize = 72;

/// Tried in place of a candidate that cannot be a password, so that refusing it takes as long.
const SUBSTITUTE: &[u8] = b"substitute";

/// How bcrypt writes bytes.
const BCRYPT_64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

/// Nobody's salt.
const DUMMY_SALT: [u8; 16] = *b"nobody has this.";

/// What somebody typed as a password. It cannot be printed and is wiped when dropped.
pub struct Password(Zeroizing<String>);

/// A bcrypt hash in modular crypt format (`$2a$`, `$2b$` or `$2y$`), cost 4 to 15, or an argon2id hash in PHC format. It
/// cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Kept);

/// A list may hold a million of them: what all have is kept without a text.
#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Bcrypt {
        cost: u8,
        salt: [u8; 16],
        digest: [u8; 23],
    },
    Argon2id(Box<Argon2id>),
}

#[derive(Clone, PartialEq, Eq)]
struct Argon2id {
    text: Box<str>,
    work: Work,
}

impl PasswordHash {
    /// Reads a hash of a users file, in the wrapper that another program put around it or without.
    ///
    /// # Errors
    /// [`HashError`] where bcrypt would refuse it, or would take minutes.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let text = unwrapped(text);
        if text.starts_with("$argon2id$") {
            let hash = Argon2id {
                text: text.into(),
                work: argon::read(text)?,
            };
            return Ok(Self(Kept::Argon2id(Box::new(hash))));
        }
        let kind = text.get(..4).unwrap_or_default();
        if !matches!(kind, "$2a$" | "$2b$" | "$2y$") {
            return Err(refused(text));
        }
        let parts: bcrypt::HashParts = text.parse().map_err(|_| HashError::Malformed)?;
        let cost = parts.get_cost();
        if !(4..=15).contains(&cost) {
            return Err(HashError::Cost(cost));
        }
        let decoded = Zeroizing::new(
            BCRYPT_64
                .decode(&text[29..])
                .map_err(|_| HashError::Malformed)?,
        );
        let digest = decoded
            .as_slice()
            .try_into()
            .map_err(|_| HashError::Malformed)?;
        Ok(Self(Kept::Bcrypt {
            cost: cost as u8,
            salt: parts.get_salt_raw(),
            digest,
        }))
    }

    /// The hash without a wrapper, as it stands in a users file.
    pub fn bare(text: &str) -> &str {
        unwrapped(text)
    }

    /// What checking a candidate costs.
    pub fn work(&self) -> Work {
        match &self.0 {
            Kept::Bcrypt { cost, .. } => Work::Bcrypt {
                cost: u32::from(*cost),
            },
            Kept::Argon2id(hash) => hash.work,
        }
    }

    /// Stands in where there is no hash: checking it costs the same. Whether something matches it never counts.
    pub(super) fn dummy_of(work: Work) -> Self {
        match work {
            Work::Bcrypt { cost } => Self(Kept::Bcrypt {
                cost: cost as u8,
                salt: DUMMY_SALT,
                digest: [0; 23],
            }),
            Work::Argon2id {
                memory,
                passes,
                lanes,
            } => {
                let text = argon::dummy(memory, passes, lanes).into();
                Self(Kept::Argon2id(Box::new(Argon2id { text, work })))
            }
        }
    }
}

/// Whether a candidate is the password of a hash. One run of the hash's work, whatever the candidate.
pub(super) fn check(candidate: &Password, hash: &PasswordHash) -> bool {
    match &hash.0 {
        Kept::Bcrypt { cost, salt, digest } => {
            check_bcrypt(candidate, &bcrypt_text(*cost, salt, digest))
        }
        Kept::Argon2id(hash) => argon::check(candidate.0.as_bytes(), &hash.text),
    }
}

/// A NUL ends a bcrypt password and what follows 72 bytes is ignored, so that candidates with either would match
/// the hash of a shorter password; they are refused.
fn check_bcrypt(candidate: &Password, hash: &str) -> bool {
    let bytes = candidate.0.as_bytes();
    let usable = bytes.len() <= BCRYPT_BYTES && !bytes.contains(&0);
    let tried = if usable { bytes } else { SUBSTITUTE };
    let matches = bcrypt::verify(tried, hash).unwrap_or(false);
    usable && matches
}

/// As the crate that checks it reads it. The minor version says nothing of the digest.
fn bcrypt_text(cost: u8, salt: &[u8; 16], digest: &[u8; 23]) -> Zeroizing<String> {
    let (salt, digest) = (BCRYPT_64.encode(salt), BCRYPT_64.encode(digest));
    Zeroizing::new(format!("$2b${cost:02}${salt}{digest}"))
}

impl Password {
    /// The same password, for whoever else checks it.
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.clone()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is longer than bcrypt reads.
    pub(super) fn is_too_long(&self) -> bool {
        self.0.len() > BCRYPT_BYTES
    }
}

impl From<Zeroizing<String>> for Password {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({})", self.work())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &str) -> PasswordHash {
        PasswordHash::parse(&bcrypt::hash(password, 4).unwrap()).unwrap()
    }

    fn text(hash: &PasswordHash) -> String {
        match &hash.0 {
            Kept::Bcrypt { cost, salt, digest } => bcrypt_text(*cost, salt, digest).to_string(),
            Kept::Argon2id(hash) => hash.text.to_string(),
        }
    }

    fn checks(candidate: &str, hash: &PasswordHash) -> bool {
        check(&Password::from(candidate.to_owned()), hash)
    }

    impl PasswordHash {
        /// A bcrypt hash that matches nothing in particular.
        pub(crate) fn dummy(cost: u32) -> Self {
            Self::dummy_of(Work::Bcrypt { cost })
        }

        /// The cost of a bcrypt hash.
        pub(crate) fn cost(&self) -> u32 {
            match self.work() {
                Work::Bcrypt { cost } => cost,
                Work::Argon2id { .. } => panic!("argon2id has no cost"),
            }
        }
    }

    #[test]
    fn a_hash_of_another_implementation_matches() {
        // Made with crypt(3) of libxcrypt.
        let crypt = "$2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC";
        assert!(!checks(
            "correct horsE",
            &PasswordHash::parse(crypt).unwrap()
        ));
        for kind in ["$2a$", "$2b$", "$2y$"] {
            let hash = PasswordHash::parse(&crypt.replace("$2b$", kind)).unwrap();
            assert!(checks("correct horse", &hash), "{kind}");
            let Kept::Bcrypt { cost, salt, digest } = &hash.0 else {
                panic!("bcrypt")
            };
            assert_eq!(*bcrypt_text(*cost, salt, digest), crypt, "nothing is lost");
        }
    }

    #[test]
    fn nul_and_more_than_72_bytes_never_match() {
        let letter = hash("a");
        assert!(checks("a", &letter));
        for candidate in ["a\0", "a\0b", "\0a", "", "A", "a "] {
            assert!(!checks(candidate, &letter), "{candidate:?}");
        }
        let longest = hash(&"x".repeat(72));
        assert!(checks(&"x".repeat(72), &longest));
        for length in [71, 73, 1000] {
            assert!(!checks(&"x".repeat(length), &longest), "{length}");
        }
        let umlauts = hash(&"ü".repeat(36));
        assert!(checks(&"ü".repeat(36), &umlauts));
        assert!(!checks(&format!("{}x", "ü".repeat(36)), &umlauts));
    }

    #[test]
    fn the_substitute_itself_does_not_let_bad_candidates_in() {
        let substitute = hash(std::str::from_utf8(SUBSTITUTE).unwrap());
        assert!(!checks("a\0", &substitute));
        assert!(!checks(&"x".repeat(73), &substitute));
    }

    #[test]
    fn the_dummy_is_a_hash_that_bcrypt_runs_on() {
        for cost in 4..=15 {
            let dummy = PasswordHash::dummy(cost);
            assert_eq!(PasswordHash::parse(&text(&dummy)).unwrap(), dummy);
        }
        assert_eq!(
            bcrypt::verify("x", &text(&PasswordHash::dummy(5))).ok(),
            Some(false)
        );
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(
            format!("{:?}", Password::from("secret".to_owned())),
            "Password"
        );
        assert_eq!(
            format!("{:?}", PasswordHash::dummy(12)),
            "PasswordHash(cost 12)"
        );
    }

    #[test]
    fn other_kinds_and_costs_are_refused_at_load() {
        let good = text(&PasswordHash::dummy(10));
        let cases = [
            ("", HashError::Unknown),
            ("secret", HashError::Unknown),
            (&good[..59], HashError::Malformed),
            (&format!("{good}A"), HashError::Malformed),
            (&format!("{}!", &good[..59]), HashError::Malformed),
            (&good.replace("$10$", "$03$"), HashError::Cost(3)),
            (&good.replace("$10$", "$16$"), HashError::Cost(16)),
            (&good.replace("$10$", "$99$"), HashError::Cost(99)),
        ];
        for (text, expected) in cases {
            assert_eq!(PasswordHash::parse(text), Err(expected), "{text}");
        }
    }
}
