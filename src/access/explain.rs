//! A decision with its reasons: every rule looked at one by one, by a second, naive implementation.

use super::decision::Decision;
use super::rule::RuleId;

/// Why a request is decided as it is.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The decision, equal to that of [`super::Policy::decide`].
    pub decision: Decision<'a>,
    /// The winning rule and its conditions.
    pub winner: Option<RuleReport>,
    /// The rules that cover the request and lose, most specific first.
    pub beaten: Vec<(RuleId, Loss)>,
}

/// The rule that decides.
#[derive(Debug)]
pub struct RuleReport {
    /// Which rule.
    pub rule: RuleId,
    /// One list an alternative; empty where the requirement is not a condition.
    pub alternatives: Vec<Vec<ConditionReport>>,
}

/// One entry of a condition and whether it holds.
#[derive(Debug)]
pub struct ConditionReport {
    /// What is asked, in words: ``role `admin` ``, ``user = `{id}` (`alice`)``.
    pub asked: String,
    /// Whether it holds for this caller.
    pub holds: bool,
}

/// Why a rule that covers the request does not win.
#[derive(Debug, PartialEq, Eq)]
pub enum Loss {
    /// At this segment (from 0) the winner has a literal and this one a parameter, and so on; in words.
    Path(String),
    /// The winner names the method; in words.
    Method(String),
}
