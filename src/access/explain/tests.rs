use std::sync::Arc;

use http::Method;

use super::*;
use crate::access::{
    CaseRule, ClaimMatch, ClaimValue, Condition, Expected, Identity, Methods, PathOptions, Pattern, Requirement,
    RoleMatch, Rule, UserMatch,
};

fn rule(methods: &[Method], pattern: &str, requirement: Requirement) -> Rule {
    let methods = if methods.is_empty() { Methods::All } else { Methods::Only(methods.to_vec()) };
    Rule { name: pattern.into(), pattern: Pattern::parse(pattern).unwrap(), methods, requirement }
}

#[test]
fn beaten_rules_say_why() {
    let anyone = |methods: &[Method], pattern| rule(methods, pattern, Requirement::Anyone);
    let rules = vec![
        anyone(&[], "/**"),
        anyone(&[], "/jobs/{id}"),
        anyone(&[Method::GET], "/jobs/*"),
        anyone(&[Method::HEAD], "/jobs/*"),
        anyone(&[], "/jobs/1/**"),
        anyone(&[Method::POST], "/jobs/1"),
        anyone(&[], "/other"),
        anyone(&[Method::GET], "/jobs/1"),
    ];
    let policy = Policy::build(rules, CaseRule::Sensitive).unwrap();
    let path = RequestPath::parse("/jobs/1", PathOptions::default()).unwrap();
    let caller = Caller::anonymous(None);
    let explanation = policy.explain(&Method::HEAD, &path, &caller);
    assert_eq!(explanation.winner.map(|winner| winner.rule), Some(RuleId(7)));
    assert_eq!(explanation.other_methods, [RuleId(5)]);
    let on_path = |id, text: &str| (RuleId(id), Loss::Path(text.into()));
    assert_eq!(
        explanation.beaten,
        [
            on_path(4, "at segment 2 the winner has its end, this rule `**`"),
            on_path(3, "at segment 1 the winner has the literal `1`, this rule the parameter `*`"),
            on_path(2, "at segment 1 the winner has the literal `1`, this rule the parameter `*`"),
            on_path(1, "at segment 1 the winner has the literal `1`, this rule the parameter `{id}`"),
            on_path(0, "at segment 0 the winner has the literal `jobs`, this rule `**`"),
        ]
    );
    let path = RequestPath::parse("/jobs/2", PathOptions::default()).unwrap();
    let explanation = policy.explain(&Method::HEAD, &path, &caller);
    let by_method = |id, text: &str| (RuleId(id), Loss::Method(text.into()));
    assert_eq!(
        explanation.beaten[..2],
        [
            by_method(2, "the winner names `HEAD`, this rule covers `HEAD` by `GET` only"),
            by_method(1, "the winner names `HEAD`, this rule names no method"),
        ]
    );
}

#[test]
fn conditions_are_listed_with_their_value() {
    let condition = Condition {
        roles: vec![RoleMatch::OneOf(vec!["a".into(), "b".into()]), RoleMatch::All(vec!["dev".into()])],
        user: Some(UserMatch::Parameter("id".into())),
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        claims: vec![
            ClaimMatch { name: "t".into(), expected: Expected::Parameter("none".into()) },
            ClaimMatch { name: "t".into(), expected: Expected::Value(ClaimValue::Integer(7)) },
        ],
    };
    let users = Condition { user: Some(UserMatch::OneOf(vec!["bob".into()])), ..Condition::default() };
    let requirement = Requirement::AnyOf(vec![condition, Condition::default(), users]);
    let policy = Policy::build(vec![rule(&[], "/{id}", requirement)], CaseRule::Sensitive).unwrap();
    let path = RequestPath::parse("/alice", PathOptions::default()).unwrap();
    let identity = Identity { subject: "alice".into(), roles: vec!["dev".into()], ..Identity::default() };
    let caller = Caller::known(Arc::new(identity), "10.0.0.1".parse().ok());
    let winner = policy.explain(&Method::GET, &path, &caller).winner.unwrap();
    let shown: Vec<Vec<_>> = (winner.alternatives.iter())
        .map(|lines| lines.iter().map(|line| (line.asked.as_str(), line.holds)).collect())
        .collect();
    assert_eq!(
        shown,
        [
            vec![
                ("role `a` or `b`", false),
                ("roles `dev`", true),
                ("user = `{id}` (`alice`)", true),
                ("address in `10.0.0.0/8`", true),
                ("claim `t` = `{none}` (no parameter of the pattern)", false),
                ("claim `t` = 7", false),
            ],
            vec![("nothing, which holds for no one", false)],
            vec![("user = `bob`", false)],
        ]
    );
}

#[test]
fn without_a_rule_nothing_wins() {
    let policy = Policy::build(vec![], CaseRule::Sensitive).unwrap();
    let path = RequestPath::parse("/", PathOptions::default()).unwrap();
    let caller = Caller::anonymous(None);
    let explanation = policy.explain(&Method::GET, &path, &caller);
    assert!(explanation.winner.is_none() && explanation.beaten.is_empty());
    assert!(matches!(explanation.decision, Decision::Forbid(Forbid { rule: None, reason: ForbidReason::NoRule })));
}
