//! A decision with its reasons, by a second, naive implementation that compares all rules.

mod compare;
mod explanation;
mod remedy;
mod report;
#[cfg(test)]
mod tests;

use http::Method;

use self::compare::Candidate;
pub use self::explanation::{ConditionReport, Explanation, PrecedenceLoss, RuleReport};
use crate::access::{
    AccessSubject, DecidedPath, Decision, Forbid, ForbidReason, Policy, RequestPath, RuleId,
};

/// Decides like [`Policy::decide`], by comparing every rule with every other, and says why. Only the evaluation of the
/// winner's requirement is shared with [`Policy::decide`].
pub fn explain(
    policy: &Policy,
    method: &Method,
    path: &RequestPath,
    caller: &AccessSubject,
) -> Explanation {
    let (candidates, other_methods) = candidates(policy, method, path);
    let Some((winner, beaten)) = candidates.split_first() else {
        return without_rule(policy, method, path, other_methods);
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

/// The explanation of a request that no rule covers.
fn without_rule(
    policy: &Policy,
    method: &Method,
    path: &RequestPath,
    other_methods: Vec<RuleId>,
) -> Explanation {
    let nearest = match other_methods.is_empty() {
        true => compare::nearest(policy, path),
        false => None,
    };
    let remedies = remedy::without_rule(policy, method, path, &other_methods);
    Explanation {
        decision: Decision::Forbid(Forbid {
            rule: None,
            reason: ForbidReason::NoRule,
            about: DecidedPath::Target,
        }),
        winner: None,
        beaten: Vec::new(),
        other_methods,
        nearest,
        remedies,
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
