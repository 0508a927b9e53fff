//! Where things stand in the files, for what is reported about a whole configuration.

use super::span::Span;

/// Where a service and its rules stand.
pub(super) struct Places {
    /// The service's key.
    pub(super) service: Span,
    /// By rule id.
    pub(super) rules: Vec<Span>,
}
