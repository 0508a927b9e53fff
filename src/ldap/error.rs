//! What goes wrong between the gateway and a directory.

use std::fmt;

/// Why nobody is signed in, or looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LdapFailure {
    /// There is no such entry or more than one, it is locked, or the password is wrong. Which one is not told apart, not
    /// even by time.
    Refused,
    /// So many are signing in that no further one is let through.
    Busy,
    /// The directory does not answer, or answers what is no answer to the question: nothing is known about the user.
    Unavailable(String),
}

/// Why a question to a directory has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LdapError {
    /// There is no connection, it has broken off, or what came is no LDAP; in words for operators.
    Unavailable(String),
    /// The directory answers, and what it has is of no use: an entry that cannot be a user.
    Unusable(String),
}

/// The most characters of a server's text that go to a log.
const LOGGED_CHARACTERS: usize = 200;

impl LdapError {
    pub(super) fn unavailable(why: impl fmt::Display) -> Self {
        Self::Unavailable(why.to_string())
    }
}

/// A text of a server, fit for a log: short, and what cannot be seen escaped.
pub(super) fn log_safe(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let mut safe: String = text.chars().take(LOGGED_CHARACTERS).collect();
    if safe.len() < text.len() {
        safe.push('…');
    }
    safe.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = Some(c).filter(|c| !c.is_control());
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

impl fmt::Display for LdapFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the directory has no such user, or another password"),
            Self::Busy => f.write_str("too many are signing in at once"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LdapFailure {}

impl fmt::Display for LdapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) | Self::Unusable(why) => f.write_str(why),
        }
    }
}
