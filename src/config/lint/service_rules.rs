//! The rules of one service, as lints look at them.

use crate::access::{Mount, Policy, RuleId};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::shown::shown;
use crate::config::span::Span;

/// The rules of one service, and where they stand.
pub(in crate::config) struct Rules<'a> {
    /// The service's name.
    pub(in crate::config) named: &'a str,
    pub(in crate::config) policy: &'a Policy,
    /// `None` where it was refused.
    pub(in crate::config) mount: Option<&'a Mount>,
    /// The service's key.
    pub(in crate::config) service: Span,
    /// By rule id.
    pub(in crate::config) spans: &'a [Span],
}

impl Rules<'_> {
    pub(super) fn span(&self, id: RuleId) -> Span {
        self.spans[id.0 as usize]
    }

    pub(super) fn name(&self, id: RuleId) -> String {
        shown(&self.policy.rule(id).name)
    }

    pub(super) fn warning(&self, code: Code, id: RuleId, message: String) -> Finding {
        Finding::warning(code, self.span(id), message).about([self.span(id), self.service])
    }
}
