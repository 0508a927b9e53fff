//! The table of rules and callers, whatever the format.

use crate::access::{Mount, RuleId};
use crate::analysis::CallerAudience;
use crate::config::Service;

/// Everything that is shown, whatever the format.
pub(super) struct RoutesReport<'a> {
    pub(super) audiences: Vec<CallerAudience>,
    pub(super) services: Vec<ServiceTable<'a>>,
}

pub(super) struct ServiceTable<'a> {
    pub(super) service: &'a Service,
    pub(super) rows: Vec<Line>,
}

pub(super) struct Line {
    pub(super) rule: RuleId,
    pub(super) methods: String,
    pub(super) path: String,
    pub(super) cells: Vec<Cell>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Yes,
    No,
    /// One entry for each condition of which one must hold.
    If(Vec<String>),
}

/// The heading of a column.
pub(super) fn heading(audience: &CallerAudience) -> &str {
    match audience {
        CallerAudience::Anonymous => "anonymous",
        CallerAudience::SignedIn => "signed in",
        CallerAudience::Role(role) => role,
    }
}

/// Where a service is: `any host, /files`.
pub(super) fn whereabouts(service: &Service) -> String {
    let hosts: Vec<_> = service.hosts.iter().map(ToString::to_string).collect();
    let hosts = if hosts.is_empty() {
        "any host".to_owned()
    } else {
        hosts.join(", ")
    };
    let Service { mount, .. } = service;
    format!("{hosts}, {}", Mount::source(mount))
}

pub(super) const LEGEND: &str = "anonymous: callers who are not known. signed in: callers who are known and have no role; \
    those who have a role have this as well. A role: callers who have this role and no other.";
