//! How large the head of an answer may be, over HTTP/1.1 and HTTP/2 alike.

/// The most fields of an answer. RFC 9110 has no limit, and services are trusted further than clients.
pub(super) const MOST_FIELDS: usize = 1000;

/// The largest head of an answer, in bytes.
pub(super) const LARGEST_HEAD: u32 = 128 << 10;
