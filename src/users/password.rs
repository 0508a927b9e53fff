//! bcrypt hashes, validated when they are loaded.

use std::fmt;

/// A bcrypt hash in modular crypt format (`$2a$`, `$2b$` or `$2y$`), cost 4 to 15. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: Box<str>,
    cost: u32,
}

/// Why a text is not a hash the gateway can check; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Neither bcrypt nor anything else that is known.
    Unknown,
    /// A known kind (`argon2id`, `sha256-crypt` …) that this version does not check.
    Unsupported(&'static str),
    /// bcrypt, but damaged: wrong length or alphabet.
    Malformed,
    /// A cost outside 4 to 15.
    Cost(u32),
}

impl PasswordHash {
    /// Reads a hash of a users file.
    ///
    /// # Errors
    /// [`HashError`] where bcrypt would refuse it, or would take minutes.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let kind = text.get(..4).unwrap_or_default();
        if !matches!(kind, "$2a$" | "$2b$" | "$2y$") {
            return Err(kind_of(text));
        }
        let parts: bcrypt::HashParts = text.parse().map_err(|_| HashError::Malformed)?;
        let cost = parts.get_cost();
        if !(4..=15).contains(&cost) {
            return Err(HashError::Cost(cost));
        }
        Ok(Self { text: text.into(), cost })
    }

    /// The cost: work doubles with each step; 10 is the least that is recommended.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

fn kind_of(text: &str) -> HashError {
    let known = [
        ("$argon2", "argon2"),
        ("$5$", "sha256-crypt"),
        ("$6$", "sha512-crypt"),
        ("$1$", "md5-crypt"),
        ("$apr1$", "apr1"),
        ("$pbkdf2", "pbkdf2"),
        ("$scrypt", "scrypt"),
        ("{SHA}", "sha1"),
    ];
    match known.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        Some((_, name)) => HashError::Unsupported(name),
        None => HashError::Unknown,
    }
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not a bcrypt hash; make one with `gatelatch hash`"),
            Self::Unsupported(kind) => write!(
                f,
                "a hash of kind `{kind}` is not available in this version; make a bcrypt hash with `gatelatch hash`"
            ),
            Self::Malformed => {
                f.write_str("a damaged bcrypt hash: 60 characters are expected; make one with `gatelatch hash`")
            }
            Self::Cost(cost) => write!(f, "a bcrypt cost of {cost}; 4 to 15 are accepted, 12 is a good choice"),
        }
    }
}

impl std::error::Error for HashError {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash(cost {})", self.cost)
    }
}
