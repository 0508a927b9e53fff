//! Points in time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::reader::Reader;
use crate::config::scalar::Scalar;
use crate::config::yaml::Entry;

/// RFC 3339 in UTC, or seconds since 1970.
pub(super) fn second(entry: &Entry, reader: &mut Reader<'_>) -> Option<u64> {
    const EXPECTED: &str = "a time such as `2026-01-01T00:00:00Z`";
    let (scalar, text) = reader.scalar(entry, EXPECTED)?;
    let second = match scalar {
        Scalar::Integer(number) => u64::try_from(number).ok(),
        Scalar::Text => humantime::parse_rfc3339(&text).ok().and_then(since_1970),
        Scalar::Nothing | Scalar::Boolean(_) | Scalar::Real(_) => None,
    };
    if second.is_none() {
        let help = "write it in UTC with a `Z` at the end, or as seconds since 1970".to_owned();
        reader.invalid(entry, EXPECTED, help);
    }
    second
}

pub(super) fn since_1970(time: SystemTime) -> Option<u64> {
    let elapsed = time.duration_since(UNIX_EPOCH).ok()?;
    // A part of a second counts as the whole: what was issued within it is refused.
    Some(elapsed.as_secs() + u64::from(elapsed.subsec_nanos() > 0))
}
