//! Why a request is decided as it is.

use std::fmt;

use crate::access::{Decision, RuleId};

/// A decision and its reasons.
#[derive(Debug)]
pub struct Explanation {
    /// The decision, equal to that of [`crate::access::Policy::decide`].
    pub decision: Decision,
    /// The rule that decides and its conditions; `None` where no rule covers the request.
    pub winner: Option<RuleReport>,
    /// The rules that cover the request but are less specific, most specific first.
    pub beaten: Vec<(RuleId, PrecedenceLoss)>,
    /// The rules that cover the path but not the method, in the order of the file.
    pub other_methods: Vec<RuleId>,
    /// Where no rule covers the path: the rule that has most of the path's beginning in common with it, if any.
    pub nearest: Option<RuleId>,
    /// What would have to change for the request to be allowed, one alternative a line; empty where it is allowed.
    pub remedies: Vec<String>,
}

/// The rule that decides.
#[derive(Debug)]
pub struct RuleReport {
    /// Which rule.
    pub rule: RuleId,
    /// One list for each alternative of the requirement; empty where the requirement is a single word.
    pub alternatives: Vec<Vec<ConditionReport>>,
}

/// One entry of a condition and its result for the caller.
#[derive(Debug)]
pub struct ConditionReport {
    /// What the entry requires: ``role `admin` ``, ``user = `{id}` (`alice`)``.
    pub asked: String,
    /// What the caller has: ``roles `a`, `b` ``, `no identity`.
    pub has: String,
    /// Whether the caller fulfils it.
    pub holds: bool,
}

/// Why another rule takes precedence; `Display` gives the reason in words.
#[derive(Debug, PartialEq, Eq)]
pub enum PrecedenceLoss {
    /// The winner's pattern is more specific at some segment, for example a literal against a parameter.
    Path(String),
    /// The patterns are equally specific, and the winner names the method.
    Method(String),
}

impl fmt::Display for PrecedenceLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(why) | Self::Method(why) => f.write_str(why),
        }
    }
}
