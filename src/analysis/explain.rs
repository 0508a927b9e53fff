//! A decision with its reasons: every rule looked at one by one, by a second, naive implementation.

mod compare;
mod remedy;
mod report;
#[cfg(test)]
mod tests;

use http::Method;

use self::compare::Candidate;
use crate::access::{Caller, Decision, Forbid, ForbidReason, Policy, RequestPath, RuleId};

/// Why a request is decided as it is.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The decision, equal to that of [`Policy::decide`].
    pub decision: Decision<'a>,
    /// The winning rule and its conditions.
    pub winner: Option<RuleReport>,
    /// The rules that cover the request and lose, most specific first.
    pub beaten: Vec<(RuleId, PrecedenceLoss)>,
    /// The rules that cover the path but not the method, in the order of the file.
    pub other_methods: Vec<RuleId>,
    /// Where no rule covers the path: the one that shares most of its beginning, if any of it.
    pub nearest: Option<RuleId>,
    /// What would have to change for the request to be allowed, each line another way; empty where it is.
    pub remedies: Vec<String>,
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
    /// What the caller has, in words: ``roles `a`, `b` ``, `no identity`.
    pub has: String,
    /// Whether it holds for this caller.
    pub holds: bool,
}

/// Why a rule that covers the request does not win.
#[derive(Debug, PartialEq, Eq)]
pub enum PrecedenceLoss {
    /// At this segment (from 1) the winner has a literal and this one a parameter, and so on; in words.
    Path(String),
    /// The winner names the method; in words.
    Method(String),
}

impl std::fmt::Display for PrecedenceLoss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(why) | Self::Method(why) => f.write_str(why),
        }
    }
}

/// Decides like [`Policy::decide`], by comparing every rule with every other, and says why. Only the evaluation of the
/// winner's requirement is shared with [`Policy::decide`].
pub fn explain<'a>(
    policy: &Policy,
    method: &Method,
    path: &'a RequestPath,
    caller: &'a Caller,
) -> Explanation<'a> {
    let (candidates, other_methods) = candidates(policy, method, path);
    let Some((winner, beaten)) = candidates.split_first() else {
        let nearest = if other_methods.is_empty() {
            compare::nearest(policy, path)
        } else {
            None
        };
        let remedies = remedy::without_rule(policy, method, path, &other_methods);
        let decision = Decision::Forbid(Forbid {
            rule: None,
            reason: ForbidReason::NoRule,
        });
        return Explanation {
            decision,
            winner: None,
            beaten: Vec::new(),
            other_methods,
            nearest,
            remedies,
        };
    };
    let decision = policy.decide_by_rule(winner.id, path, caller);
    let report = report::report(winner.id, winner.rule, path, caller);
    Explanation {
        remedies: remedy::with_rule(&decision, winner.rule, &report),
        decision,
        winner: Some(report),
        beaten: beaten
            .iter()
            .map(|loser| (loser.id, compare::loss(winner, loser, method)))
            .collect(),
        other_methods,
        nearest: None,
    }
}

/// The rules that cover the request, most specific first, and those that cover its path only.
fn candidates<'a>(
    policy: &'a Policy,
    method: &Method,
    path: &RequestPath,
) -> (Vec<Candidate<'a>>, Vec<RuleId>) {
    let segments: Vec<_> = path.segments().collect();
    let mut candidates = Vec::new();
    let mut other_methods = Vec::new();
    for (id, rule) in (0..).map(RuleId).zip(policy.rules()) {
        if !compare::covers_path(rule, &segments, policy.case()) {
            continue;
        }
        match Candidate::new(id, rule, method) {
            Some(candidate) => candidates.push(candidate),
            None => other_methods.push(id),
        }
    }
    candidates.sort_by(compare::by_specificity);
    (candidates, other_methods)
}
