//! The content of a session or device cookie.

use std::fmt;

/// The value of the cookie. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    /// The token in compact form.
    pub value: String,
    /// For how many seconds it is valid.
    pub max_age: u64,
    /// How many roles did not fit, so that they are not in it.
    pub roles_left_out: usize,
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionToken(for {} s)", self.max_age)
    }
}
