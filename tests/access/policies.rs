//! The promises of the policy, over random rule sets.

use std::sync::Arc;
use std::time::Duration;

use gatelatch::access::{
    AccessSubject, Authentication, CaseRule, Decision, ForbidReason, Methods, Mode, PathOptions,
    Pattern, Policy, RequestPath, RequestedPaths, Requirement, Rule,
};
use gatelatch::analysis::explain;
use http::Method;
use proptest::prelude::*;

use crate::model::{self, Outcome};
use crate::strategies::{authentication, caller, identity, method, path, rules};

fn case() -> impl Strategy<Value = CaseRule> {
    prop_oneof![Just(CaseRule::Sensitive), Just(CaseRule::Insensitive)]
}

/// The policy of these rules without those that tie with an earlier one.
fn build(rules: Vec<Rule>, case: CaseRule) -> Policy {
    let mut kept = Vec::new();
    for rule in rules {
        kept.push(rule);
        if model::tie(&kept, case) {
            kept.pop();
        }
    }
    Policy::build(kept, case).unwrap()
}

fn parse(raw: &str) -> RequestPath {
    RequestPath::parse(raw, PathOptions::default()).unwrap()
}

fn outcome(decision: &Decision) -> Outcome {
    match decision {
        Decision::Allow(_) => Outcome::Allow,
        Decision::Challenge(_) => Outcome::Challenge,
        Decision::Forbid(_) => Outcome::Forbid,
    }
}

/// The deciding rule's index.
fn rule(decision: &Decision) -> Option<usize> {
    let id = match decision {
        Decision::Allow(rule) => Some(*rule),
        Decision::Challenge(challenge) => Some(challenge.rule),
        Decision::Forbid(forbid) => forbid.rule,
    };
    id.map(|id| id.0 as usize)
}

proptest! {
    #[test]
    fn ties_are_found(rules in rules(), case in case()) {
        prop_assert_eq!(Policy::build(rules.clone(), case).is_err(), model::tie(&rules, case));
    }

    #[test]
    fn decide_agrees_with_the_contract(
        rules in rules(), case in case(), method in method(), raw in path(), caller in caller(),
    ) {
        let policy = build(rules, case);
        let path = parse(&raw);
        let decision = policy.decide(&method, &path, &caller);
        let expected = model::decide(policy.rules(), case, &method, &raw, &caller);
        prop_assert_eq!((rule(&decision), outcome(&decision)), expected);
    }

    #[test]
    fn decide_agrees_with_explain(
        rules in rules(), case in case(), method in method(), raw in path(), caller in caller(),
    ) {
        let policy = build(rules, case);
        let path = parse(&raw);
        let decision = policy.decide(&method, &path, &caller);
        let explanation = explain(&policy, &method, &path, &caller);
        prop_assert_eq!(&decision, &explanation.decision);
        prop_assert_eq!(rule(&decision), explanation.winner.as_ref().map(|winner| winner.rule.0 as usize));
        if let Some(winner) = explanation.winner && !winner.alternatives.is_empty() {
            let holds = winner.alternatives.iter().any(|lines| lines.iter().all(|line| line.holds));
            prop_assert_eq!(holds, outcome(&decision) == Outcome::Allow);
        }
    }

    #[test]
    fn a_destination_is_decided_on_as_the_path_is(
        rules in rules(), case in case(), method in method(), one in path(), other in path(), caller in caller(),
    ) {
        let policy = build(rules, case);
        let (one, other) = (parse(&one), parse(&other));
        let alone = |path| policy.decide(&method, path, &caller);
        let both = |target, destination| {
            policy.decide(&method, RequestedPaths { target, destination: Some(destination) }, &caller)
        };
        for (target, destination) in [(&one, &other), (&other, &one)] {
            let denied = [target, destination].into_iter().map(alone).find(|one| outcome(one) != Outcome::Allow);
            let expected = denied.unwrap_or_else(|| alone(target));
            let decided = both(target, destination);
            prop_assert_eq!((outcome(&decided), rule(&decided)), (outcome(&expected), rule(&expected)));
        }
    }

    #[test]
    fn without_a_rule_nothing_is_allowed(method in method(), raw in path(), caller in caller()) {
        let policy = Policy::build(vec![], CaseRule::Sensitive).unwrap();
        let path = parse(&raw);
        let refused = matches!(policy.decide(&method, &path, &caller),
            Decision::Forbid(forbid) if forbid.rule.is_none() && forbid.reason == ForbidReason::NoRule);
        prop_assert!(refused);
    }

    #[test]
    fn a_further_role_never_closes(
        rules in rules(), method in method(), raw in path(), identity in identity(), role in "[rst]",
        authentication in authentication(),
    ) {
        let policy = build(rules, CaseRule::Sensitive);
        let path = parse(&raw);
        let mut more = identity.clone();
        more.roles = more.roles.iter().cloned().chain([role.into()]).collect();
        let before = AccessSubject::known(Arc::new(identity), None).authenticated(authentication);
        let after = AccessSubject::known(Arc::new(more), None).authenticated(authentication);
        if outcome(&policy.decide(&method, &path, &before)) == Outcome::Allow {
            prop_assert_eq!(outcome(&policy.decide(&method, &path, &after)), Outcome::Allow);
        }
    }

    #[test]
    fn a_fresher_sign_in_or_a_second_factor_never_closes(
        rules in rules(), method in method(), raw in path(), identity in identity(), authentication in authentication(),
    ) {
        let policy = build(rules, CaseRule::Sensitive);
        let path = parse(&raw);
        let subject = AccessSubject::known(Arc::new(identity), None).authenticated(authentication);
        let best = Authentication::SignedIn { age: Some(Duration::ZERO), second_factor: true };
        if outcome(&policy.decide(&method, &path, &subject)) == Outcome::Allow {
            let again = subject.authenticated(best);
            prop_assert_eq!(outcome(&policy.decide(&method, &path, &again)), Outcome::Allow);
        }
    }

    #[test]
    fn the_order_of_rules_never_matters(
        rules in rules(), turn in 0_usize..12, method in method(), raw in path(), caller in caller(),
    ) {
        let policy = build(rules, CaseRule::Sensitive);
        let mut turned = policy.rules().to_vec();
        turned.reverse();
        let turn = turn.min(turned.len());
        turned.rotate_left(turn);
        let turned = Policy::build(turned, CaseRule::Sensitive).unwrap();
        let path = parse(&raw);
        let (one, other) = (policy.decide(&method, &path, &caller), turned.decide(&method, &path, &caller));
        prop_assert_eq!(outcome(&one), outcome(&other));
        let name = |policy: &Policy, decision| rule(decision).map(|id| policy.rules()[id].clone());
        prop_assert_eq!(name(&policy, &one), name(&turned, &other));
    }

    #[test]
    fn a_pattern_never_matches_inside_a_segment(
        prefix in "/[a-c]{1,3}(/[a-c]{1,3})?", end in "(/\\*|/\\*\\*)?", more in "[a-c]{1,3}", before in any::<bool>(),
    ) {
        let text = format!("{prefix}{end}");
        let rule = Rule {
            name: text.as_str().into(),
            pattern: Pattern::parse(&text).unwrap(),
            methods: Methods::All,
            requirement: Requirement::Anyone,
            mode: Mode::Enforce,
        };
        let policy = Policy::build(vec![rule], CaseRule::Sensitive).unwrap();
        let found = |raw: &str| policy.find(&Method::GET, &parse(raw)).is_some();
        let tail = if end == "/*" { "/x" } else { "" };
        let inner = &prefix[1..];
        let longer = if before { format!("/{more}{inner}{tail}") } else { format!("/{inner}{more}{tail}") };
        let hit = format!("{prefix}{tail}");
        prop_assert!(found(&hit));
        prop_assert!(!found(&longer));
    }
}
