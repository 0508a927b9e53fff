//! Words of lists in arguments.

use std::convert::Infallible;

/// One word of a list, such as `admin, user`, without the blanks around it.
pub(super) fn trimmed<T: for<'a> From<&'a str>>(text: &str) -> Result<T, Infallible> {
    Ok(text.trim().into())
}
