//! Notations that several parts read and write: base32, hexadecimal digits, percent-encoding, forms, comma-separated fields, ports.
//!
//! One of each, so that no two parts disagree about an edge case. What is stricter on purpose stays where its reason is:
//! `access::path` decides what an escape in a path means, `wire::forwarded` reads its lists from the right.

pub mod base32;
pub mod fold;
pub mod form;
pub mod hex;
pub mod list;
pub mod percent;
pub mod port;
