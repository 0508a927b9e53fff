//! What is said about rules that never win is so, and nothing else is: held against a search for a request that they win.

use gatelatch::access::{
    CaseRule, Methods, Mode, PathOptions, Pattern, Policy, RequestPath, Requirement, Rule, RuleId,
    Segment,
};
use gatelatch::analysis::shadow;
use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::model;

/// Patterns that take one another's paths, and no two of which tie.
const PATTERNS: [&str; 10] = [
    "/", "/**", "/*", "/*/**", "/*/*", "/*/*/**", "/a", "/a/**", "/a/*", "/a/*/**",
];

fn rule() -> impl Strategy<Value = Rule> {
    let some =
        subsequence(vec![Method::GET, Method::HEAD, Method::POST], 1..3).prop_map(Methods::Only);
    let methods = prop_oneof![2 => Just(Methods::All), 1 => some];
    (select(&PATTERNS[..]), methods).prop_map(|(pattern, methods)| Rule {
        name: pattern.into(),
        pattern: Pattern::parse(pattern).unwrap(),
        methods,
        requirement: Requirement::Anyone,
        mode: Mode::Enforce,
    })
}

fn policy(rules: Vec<Rule>) -> Policy {
    let mut kept = Vec::new();
    for rule in rules {
        kept.push(rule);
        if model::tie(&kept, CaseRule::Sensitive) {
            kept.pop();
        }
    }
    Policy::build(kept, CaseRule::Sensitive).unwrap()
}

/// Paths that the pattern covers and that no other pattern names.
fn samples(pattern: &Pattern) -> Vec<RequestPath> {
    let fixed = pattern
        .segments()
        .iter()
        .filter(|segment| **segment != Segment::Rest);
    let fixed: String = fixed
        .map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Parameter(_) | Segment::Rest => "/fresh".to_owned(),
        })
        .collect();
    let path = |more: usize| {
        format!(
            "/{}",
            format!("{fixed}{}", "/fresh".repeat(more)).trim_start_matches('/')
        )
    };
    (0..5)
        .map(|more| RequestPath::parse(&path(more), PathOptions::default()).unwrap())
        .collect()
}

fn wins(policy: &Policy, id: RuleId, method: &Method) -> bool {
    samples(&policy.rule(id).pattern)
        .iter()
        .any(|path| policy.find(method, path) == Some(id))
}

proptest! {
    #[test]
    fn a_shadowed_rule_wins_no_request_and_every_other_does(rules in vec(rule(), 1..12)) {
        let policy = policy(rules);
        let other: Method = "REPORT".parse().unwrap();
        for (id, rule) in (0..).map(RuleId).zip(policy.rules()) {
            if rule.pattern.segments().last() != Some(&Segment::Rest) {
                prop_assert_eq!(shadow(&policy, id), None);
                continue;
            }
            let methods = match &rule.methods {
                Methods::All => vec![other.clone()],
                Methods::Only(methods) => methods.clone(),
            };
            let lost: Vec<Method> = methods.iter().filter(|method| !wins(&policy, id, method)).cloned().collect();
            let expected = if lost.is_empty() {
                None
            } else if lost.len() == methods.len() {
                Some(None)
            } else {
                Some(Some(lost))
            };
            let found = shadow(&policy, id);
            prop_assert_eq!(found.as_ref().map(|shadow| shadow.methods.clone()), expected, "{:?}", policy.rules());
            prop_assert!(found.is_none_or(|shadow| !shadow.by.is_empty() && !shadow.by.contains(&id)));
        }
    }
}
