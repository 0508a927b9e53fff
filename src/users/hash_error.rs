//! Why a text is no password hash.

use std::fmt;

use super::work::Work;

/// A hash that is not checked here, and who writes such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignHash {
    /// What it is called.
    pub kind: &'static str,
    /// Who writes it.
    pub writer: &'static str,
}

/// Why a text is not a hash the gateway can check. `Display` says what it is, to stand behind "is", and
/// [`remedy`](Self::remedy) what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashError {
    /// Neither bcrypt nor another format that is known.
    Unknown,
    /// A known kind that is not checked here.
    Foreign(ForeignHash),
    /// The mark of an account that no password opens, with or without a hash behind it.
    Locked,
    /// bcrypt, but damaged: wrong length or alphabet.
    Malformed,
    /// argon2id, but damaged, or of another version than 19.
    MalformedArgon2,
    /// argon2id that takes more memory or time than [`Work::ARGON2_LIMITS`] says.
    TooMuchWork,
    /// A cost outside 4 to 15.
    Cost(u32),
}

impl HashError {
    /// What to do. `renew` is the command that gives the user a new password, such as
    /// `gatelatch user set-password alice`.
    pub fn remedy(&self, renew: &str) -> String {
        let renew = format!("`{renew}`");
        match self {
            Self::Unknown => {
                format!("a password is never written here itself; {renew} writes its hash")
            }
            Self::Foreign(ForeignHash { kind, .. }) if kind.starts_with("base64") => {
                "write what `base64 -d` makes of it".to_owned()
            }
            Self::Foreign(ForeignHash { kind, .. }) if kind.starts_with("hexadecimal") => {
                "write what `xxd -r -p` makes of it".to_owned()
            }
            Self::Locked => format!(
                "`disabled: true` locks a user, and `password` may be left out; {renew} gives the user a password"
            ),
            Self::Foreign(_) => format!(
                "bcrypt and argon2id are accepted, and no hash can be turned into another: {renew} gives the user a new password"
            ),
            Self::Malformed | Self::MalformedArgon2 => {
                format!("copy it again, whole; or {renew} gives the user a new password")
            }
            Self::TooMuchWork | Self::Cost(_) => {
                format!("{renew} gives the user a new password")
            }
        }
    }
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not a bcrypt or argon2id hash"),
            Self::Locked => {
                f.write_str("the mark of a locked account, as in shadow(5), and no hash")
            }
            Self::Foreign(ForeignHash { kind, writer }) => write!(
                f,
                "a hash of a kind that is not accepted: {kind}, from {writer}"
            ),
            Self::Malformed => f.write_str("a damaged bcrypt hash: 60 characters are expected"),
            Self::MalformedArgon2 => f.write_str("a damaged argon2id hash"),
            Self::TooMuchWork => write!(
                f,
                "an argon2id hash of too much work; {} are accepted",
                Work::ARGON2_LIMITS
            ),
            Self::Cost(cost) => write!(
                f,
                "a bcrypt hash of cost {cost}; 4 to 15 are accepted, 12 is a good choice"
            ),
        }
    }
}

impl std::error::Error for HashError {}
