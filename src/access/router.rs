//! Which service a request belongs to: the longest match over host, then path.

use super::path::RequestPath;

/// A host of a service's `hosts`: `jobs.example.com` or `*.jobs.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {}

/// Why a text is not a host pattern; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {}

/// A service's `path`: a literal path prefix such as `/` or `/jobs`, without parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {}

/// Two services that claim the same host and mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Index of the service written first.
    pub first: usize,
    /// Index of the one written later.
    pub second: usize,
}

/// Finds the service of a request.
#[derive(Debug)]
pub struct Router {}

impl HostPattern {
    /// Parses an entry of `hosts`; a port is refused.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let _ = text;
        todo!()
    }
}

impl Mount {
    /// Parses a service's `path`.
    pub fn parse(text: &str) -> Result<Self, super::pattern::PatternError> {
        let _ = text;
        todo!()
    }
}

impl Router {
    /// Indexes the services: for each its hosts (empty: any host) and its mount.
    pub fn build(services: Vec<(Vec<HostPattern>, Mount)>, case_insensitive: Vec<bool>) -> Result<Self, Vec<Overlap>> {
        let _ = (services, case_insensitive);
        todo!()
    }

    /// The index of the service for this host (lower-case, without port and trailing dot) and path.
    pub fn find(&self, host: &str, path: &RequestPath) -> Option<usize> {
        let _ = (host, path);
        todo!()
    }
}
