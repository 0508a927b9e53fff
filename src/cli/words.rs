//! Words and values in arguments.

use std::convert::Infallible;
use std::time::Duration;

use crate::config;

/// One word of a list, such as `admin, user`, without the blanks around it.
pub(super) fn trimmed<T: for<'a> From<&'a str>>(text: &str) -> Result<T, Infallible> {
    Ok(text.trim().into())
}

/// A duration, in the notation of the configuration.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    config::duration(text).ok_or("write a duration such as `500ms`, `10s`, `15m`, `8h` or `7d`")
}
