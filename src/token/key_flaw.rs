//! What is wrong with a key of a published set.

use std::fmt;

use super::key::KeyError;

/// The longest `kid` that a message quotes.
const LONGEST_QUOTED: usize = 80;

/// A key of a set that is meant for verifying, and is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFlaw {
    /// Which of the set it is, from 1.
    pub number: usize,
    /// Its `kid`, where that is a string; what the issuer wrote, of any length.
    pub id: Option<String>,
    /// What is wrong with it.
    pub error: KeyError,
    /// Whether tokens are verified with it all the same.
    pub is_used: bool,
}

impl fmt::Display for KeyFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.number)?;
        // of a name that is too long to be quoted, or cannot be seen, the number is enough
        let is_plain = |id: &&String| {
            id.len() <= LONGEST_QUOTED && id.chars().all(|c| c.is_ascii_graphic() && c != '`')
        };
        if let Some(id) = self.id.as_ref().filter(is_plain) {
            write!(f, ", `{id}`,")?;
        }
        if self.is_used {
            write!(f, " is malformed and used: {}", self.error)
        } else {
            write!(f, " is not used: {}", self.error)
        }
    }
}
