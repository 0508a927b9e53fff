//! A rate in force.

use super::bucket::Bucket;
use super::rate::Rate;
use super::table::Key;
use crate::access::Mode;

/// A rate in force.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) rate: Rate,
    pub(super) mode: Mode,
    pub(super) bucket: Bucket,
    /// Of its buckets' keys.
    pub(super) seed: Key,
}

/// Which rate has no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// That of the rule.
    Rule,
    /// That of the service.
    Service,
}

impl LimitedBy {
    /// Its name in logs and in the fields for clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Service => "service",
        }
    }
}
