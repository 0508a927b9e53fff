//! The result of an audit, whatever the format.

use clap::ValueEnum;

use crate::access::Policy;
use crate::analysis::openapi::{ApiAudit, AuditFinding, OpenApiDocument};
use crate::config::{Config, Service};

/// What `--deny` takes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deny {
    /// An operation that callers who are not known can reach
    Open,
    /// An operation that no rule covers, or that never comes to the service
    Uncovered,
    /// An operation that the document protects and the rules do not
    Looser,
    /// An operation that the rules protect and the document does not
    Stricter,
    /// A rule that covers no operation
    Unused,
    /// Something in the document that could not be read as it is meant
    Odd,
}

/// Everything that is shown, whatever the format.
pub(super) struct AuditReport<'a> {
    pub(super) config: &'a Config,
    pub(super) service: &'a Service,
    /// Its rules as they work.
    pub(super) policy: &'a Policy,
    pub(super) document: &'a OpenApiDocument,
    pub(super) audit: ApiAudit,
}

impl AuditReport<'_> {
    pub(super) fn has(&self, deny: Deny) -> bool {
        let found = |finding| {
            self.audit
                .operations
                .iter()
                .any(|covered| covered.findings.contains(&finding))
        };
        match deny {
            Deny::Open => found(AuditFinding::Open),
            Deny::Uncovered => found(AuditFinding::Uncovered),
            Deny::Looser => found(AuditFinding::Looser),
            Deny::Stricter => found(AuditFinding::Stricter),
            Deny::Unused => !self.audit.unused.is_empty(),
            Deny::Odd => !self.document.odd.is_empty(),
        }
    }
}
