//! The paths that one request acts on.

use super::path::RequestPath;

/// A request's own path and, where it has one, the path of WebDAV's `Destination` (RFC 4918, section 10.3). A request is
/// allowed where both are.
#[derive(Clone, Copy, Debug)]
pub struct RequestedPaths<'a> {
    /// The path of the request target.
    pub target: &'a RequestPath,
    /// The path of the `Destination`, which is of the same service.
    pub destination: Option<&'a RequestPath>,
}

/// Which of a request's paths a denial is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecidedPath {
    /// That of the request target.
    #[default]
    Target,
    /// That of the `Destination`.
    Destination,
}

/// Nearly every request acts on one path.
impl<'a> From<&'a RequestPath> for RequestedPaths<'a> {
    fn from(target: &'a RequestPath) -> Self {
        Self {
            target,
            destination: None,
        }
    }
}
