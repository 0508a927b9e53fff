//! Points in time.

use crate::config::reader::Reader;
use crate::config::scalar::Scalar;
use crate::config::value::{moment, since_1970};
use crate::config::yaml::Entry;

/// RFC 3339 in UTC, or seconds since 1970.
pub(super) fn second(entry: &Entry, reader: &mut Reader<'_>) -> Option<u64> {
    let parse = |text: &str| humantime::parse_rfc3339(text).ok().and_then(since_1970);
    let help = "write it in UTC with a `Z` at the end, or as seconds since 1970";
    read(
        entry,
        reader,
        parse,
        ("a time such as `2026-01-01T00:00:00Z`", help),
    )
}

/// The same, or a date: its first moment.
pub(super) fn second_or_date(entry: &Entry, reader: &mut Reader<'_>) -> Option<u64> {
    let help = "write a time in UTC as `2027-01-01T00:00:00Z`, or seconds since 1970";
    read(entry, reader, moment, ("a date such as `2027-01-01`", help))
}

fn read(
    entry: &Entry,
    reader: &mut Reader<'_>,
    parse: impl Fn(&str) -> Option<u64>,
    (expected, help): (&str, &str),
) -> Option<u64> {
    let (scalar, text) = reader.scalar(entry, expected)?;
    let second = match scalar {
        Scalar::Integer(number) => u64::try_from(number).ok(),
        Scalar::Text => parse(&text),
        Scalar::Nothing | Scalar::Boolean(_) | Scalar::Real(_) => None,
    };
    if second.is_none() {
        reader.invalid(entry, expected, help.to_owned());
    }
    second
}
