//! What would have to change for a refused request to be allowed.

use http::Method;

use super::explanation::{ConditionReport, RuleReport};
use crate::access::{Decision, Policy, RequestPath, Requirement, Rule, RuleId};

/// The alternatives for the winning rule to allow the request.
pub(super) fn with_rule(decision: &Decision, rule: &Rule, report: &RuleReport) -> Vec<String> {
    match (decision, &rule.requirement) {
        (Decision::Allow(_), _) => Vec::new(),
        (
            Decision::Challenge(_) | Decision::Forbid(_),
            Requirement::Anyone | Requirement::Authenticated,
        ) => {
            vec!["a caller who is signed in".to_owned()]
        }
        (Decision::Challenge(_) | Decision::Forbid(_), Requirement::Nobody) => {
            vec!["another `allow` than `nobody`, or a rule that is more specific".to_owned()]
        }
        (Decision::Challenge(_) | Decision::Forbid(_), Requirement::AnyOf(_)) => report
            .alternatives
            .iter()
            .map(|entries| missing(entries))
            .collect(),
    }
}

fn missing(entries: &[ConditionReport]) -> String {
    let failed = entries
        .iter()
        .filter(|entry| !entry.holds)
        .map(|entry| entry.asked.as_str());
    failed.collect::<Vec<_>>().join(", and ")
}

/// The alternatives for a rule to cover the request.
pub(super) fn without_rule(
    policy: &Policy,
    method: &Method,
    path: &RequestPath,
    same_path: &[RuleId],
) -> Vec<String> {
    let named = same_path
        .iter()
        .map(|id| format!("`{method}` in the `methods` of `{}`", policy.rule(*id).name));
    let new = format!(
        "a rule that covers it, such as `{{ path: {path}, methods: [{method}], allow: authenticated }}`"
    );
    named.chain([new]).collect()
}
