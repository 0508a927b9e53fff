//! A read-only view of a policy's pattern tree, for an analysis that walks it with a pattern instead of a path.

use http::Method;

use super::pattern_trie::TreeCursor;
use super::policy::{Leaf, Policy};
use super::rule::RuleId;

/// One node: the end of a pattern's prefix. Where a method is an argument, `None` stands for a method that no rule names.
pub(crate) struct PatternNode<'p>(TreeCursor<'p, Leaf>);

impl Policy {
    /// The node of the empty prefix.
    pub(crate) fn pattern_root(&self) -> PatternNode<'_> {
        PatternNode(self.tree().root())
    }
}

impl PatternNode<'_> {
    /// The rule whose pattern ends here.
    pub(crate) fn rule(&self, method: Option<&Method>) -> Option<RuleId> {
        self.0.here().and_then(|leaf| leaf.pick_any(method))
    }

    /// The rule whose pattern ends here with `**`.
    pub(crate) fn rest_rule(&self, method: Option<&Method>) -> Option<RuleId> {
        self.0.rest().and_then(|leaf| leaf.pick_any(method))
    }

    /// The child for this literal, compared as the policy compares letter case.
    pub(crate) fn literal(&self, text: &str) -> Option<Self> {
        self.0.literal(text).map(Self)
    }

    /// The child for a parameter.
    pub(crate) fn parameter(&self) -> Option<Self> {
        self.0.parameter().map(Self)
    }

    /// Whether another pattern continues here.
    pub(crate) fn has_more(&self) -> bool {
        self.0.has_more()
    }
}
