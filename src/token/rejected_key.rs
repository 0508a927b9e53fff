//! A key of a published set that cannot be used.

use super::key::KeyError;

/// A key of a set that is meant for verifying, and broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedKey {
    /// Which of the set it is, from 1.
    pub number: usize,
    /// Its `kid`, where that is a string; what the issuer wrote, of any length.
    pub id: Option<String>,
    /// What is wrong with it.
    pub error: KeyError,
}
