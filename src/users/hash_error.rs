//! Why a text is no password hash.

use std::fmt;

use super::work::Work;

/// Why a text is not a hash the gateway can check; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Neither bcrypt nor another supported format.
    Unknown,
    /// A known kind (`argon2i`, `sha256-crypt` …) that this version does not check.
    Unsupported(&'static str),
    /// bcrypt, but damaged: wrong length or alphabet.
    Malformed,
    /// argon2id, but damaged, or of another version than 19.
    MalformedArgon2,
    /// argon2id that takes more memory or time than [`Work::ARGON2_LIMITS`] says.
    TooMuchWork,
    /// A cost outside 4 to 15.
    Cost(u32),
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not a bcrypt hash; make one with `gatelatch hash`"),
            Self::Unsupported(kind) => write!(
                f,
                "a hash of kind `{kind}` is not available in this version; make a bcrypt hash with `gatelatch hash`"
            ),
            Self::Malformed => f.write_str(
                "a damaged bcrypt hash: 60 characters are expected; make one with `gatelatch hash`",
            ),
            Self::MalformedArgon2 => {
                f.write_str("a damaged argon2id hash; make a bcrypt hash with `gatelatch hash`")
            }
            Self::TooMuchWork => write!(
                f,
                "an argon2id hash of too much work; {} are accepted",
                Work::ARGON2_LIMITS
            ),
            Self::Cost(cost) => write!(
                f,
                "a bcrypt cost of {cost}; 4 to 15 are accepted, 12 is a good choice"
            ),
        }
    }
}

impl std::error::Error for HashError {}
