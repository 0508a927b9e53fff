use core::time::Duration;
use std::sync::Arc;

use http::Method;

use super::*;
use crate::access::{
    Authentication, AuthenticationDemand, CaseRule, Claim, ClaimMatch, ClaimValue, Condition,
    Expected, Identity, Methods, Mode, PathOptions, Pattern, Requirement, RoleMatch, Rule,
    UserMatch,
};

fn rule(methods: &[Method], pattern: &str, requirement: Requirement) -> Rule {
    let methods = if methods.is_empty() {
        Methods::All
    } else {
        Methods::Only(methods.to_vec())
    };
    Rule {
        name: pattern.into(),
        pattern: Pattern::parse(pattern).unwrap(),
        methods,
        requirement,
        mode: Mode::Enforce,
    }
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
    let caller = AccessSubject::anonymous(None);
    let explanation = explain(&policy, &Method::HEAD, &path, &caller);
    assert_eq!(
        explanation.winner.map(|winner| winner.rule),
        Some(RuleId(7))
    );
    assert_eq!(explanation.other_methods, [RuleId(5)]);
    let on_path = |id, text: &str| (RuleId(id), PrecedenceLoss::Path(text.into()));
    assert_eq!(
        explanation.beaten,
        [
            on_path(4, "at segment 3 the winner has its end, this rule `**`"),
            on_path(
                3,
                "at segment 2 the winner has the literal `1`, this rule the parameter `*`"
            ),
            on_path(
                2,
                "at segment 2 the winner has the literal `1`, this rule the parameter `*`"
            ),
            on_path(
                1,
                "at segment 2 the winner has the literal `1`, this rule the parameter `{id}`"
            ),
            on_path(
                0,
                "at segment 1 the winner has the literal `jobs`, this rule `**`"
            ),
        ]
    );
    let path = RequestPath::parse("/jobs/2", PathOptions::default()).unwrap();
    let explanation = explain(&policy, &Method::HEAD, &path, &caller);
    let by_method = |id, text: &str| (RuleId(id), PrecedenceLoss::Method(text.into()));
    assert_eq!(
        explanation.beaten[..2],
        [
            by_method(
                2,
                "the winner names `HEAD`, this rule covers `HEAD` by `GET` only"
            ),
            by_method(1, "the winner names `HEAD`, this rule names no method"),
        ]
    );
}

#[test]
fn conditions_are_listed_with_their_value() {
    let condition = Condition {
        roles: vec![
            RoleMatch::OneOf(vec!["a".into(), "b".into()]),
            RoleMatch::All(vec!["dev".into()]),
        ],
        user: Some(UserMatch::Parameter("id".into())),
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        claims: vec![
            ClaimMatch {
                name: "t".into(),
                expected: Expected::Parameter("none".into()),
            },
            ClaimMatch {
                name: "t".into(),
                expected: Expected::Value(ClaimValue::Integer(7)),
            },
        ],
        sign_in: AuthenticationDemand::default(),
    };
    let users = Condition {
        user: Some(UserMatch::OneOf(vec!["bob".into()])),
        ..Condition::default()
    };
    let requirement = Requirement::AnyOf(vec![condition, Condition::default(), users]);
    let policy = Policy::build(vec![rule(&[], "/{id}", requirement)], CaseRule::Sensitive).unwrap();
    let path = RequestPath::parse("/alice", PathOptions::default()).unwrap();
    let claims = vec![Claim {
        name: "t".into(),
        values: vec![ClaimValue::Integer(8), ClaimValue::Boolean(true)],
    }];
    let identity = Identity {
        subject: "alice".into(),
        roles: ["dev".into()].into(),
        claims,
        ..Identity::default()
    };
    let caller = AccessSubject::known(Arc::new(identity), "10.0.0.1".parse().ok());
    let explanation = explain(&policy, &Method::GET, &path, &caller);
    let claim_missing = "claim `t` = `{none}` (no parameter of the pattern), and claim `t` = 7";
    assert_eq!(
        explanation.remedies,
        [
            &format!("role `a` or `b`, and {claim_missing}"),
            "nothing, which holds for no one",
            "user = `bob`"
        ]
    );
    let winner = explanation.winner.unwrap();
    let shown: Vec<Vec<_>> = (winner.alternatives.iter())
        .map(|lines| {
            lines
                .iter()
                .map(|line| (line.asked.as_str(), line.has.as_str(), line.holds))
                .collect()
        })
        .collect();
    assert_eq!(
        shown,
        [
            vec![
                ("role `a` or `b`", "role `dev`", false),
                ("roles `dev`", "role `dev`", true),
                ("user = `{id}` (`alice`)", "`alice`", true),
                ("address in `10.0.0.0/8`", "`10.0.0.1`", true),
                (
                    "claim `t` = `{none}` (no parameter of the pattern)",
                    "8 and true",
                    false
                ),
                ("claim `t` = 7", "8 and true", false),
            ],
            vec![("nothing, which holds for no one", "nothing", false)],
            vec![("user = `bob`", "`alice`", false)],
        ]
    );
}

#[test]
fn without_a_rule_nothing_wins() {
    let anyone = |methods: &[Method], pattern| rule(methods, pattern, Requirement::Anyone);
    let rules = vec![
        anyone(&[], "/{x}/y"),
        anyone(&[], "/jobs"),
        anyone(&[Method::GET], "/jobs/new"),
        anyone(&[], "/jobs/new/b"),
    ];
    let policy = Policy::build(rules, CaseRule::Sensitive).unwrap();
    let caller = AccessSubject::anonymous(None);
    let add_rule = |path: &str, method: &str| {
        format!(
            "a rule that covers it, such as `{{ path: {path}, methods: [{method}], allow: authenticated }}`"
        )
    };
    for (method, raw, nearest, remedies) in [
        (Method::GET, "/", None, vec![add_rule("/", "GET")]),
        (
            Method::GET,
            "/other/x",
            None,
            vec![add_rule("/other/x", "GET")],
        ),
        (
            Method::GET,
            "/jobs/1",
            Some(RuleId(1)),
            vec![add_rule("/jobs/1", "GET")],
        ),
        (
            Method::GET,
            "/jobs/new/c",
            Some(RuleId(2)),
            vec![add_rule("/jobs/new/c", "GET")],
        ),
        (
            Method::POST,
            "/jobs/new",
            None,
            vec![
                "`POST` in the `methods` of `/jobs/new`".to_owned(),
                add_rule("/jobs/new", "POST"),
            ],
        ),
    ] {
        let path = RequestPath::parse(raw, PathOptions::default()).unwrap();
        let explanation = explain(&policy, &method, &path, &caller);
        assert!(
            explanation.winner.is_none() && explanation.beaten.is_empty(),
            "{raw}"
        );
        assert_eq!(
            (explanation.nearest, explanation.remedies),
            (nearest, remedies),
            "{raw}"
        );
        assert!(
            matches!(
                explanation.decision,
                Decision::Forbid(Forbid {
                    rule: None,
                    reason: ForbidReason::NoRule,
                    ..
                })
            ),
            "{raw}"
        );
    }
}

#[test]
fn a_sign_in_is_compared_with_what_is_asked() {
    let condition = Condition {
        sign_in: AuthenticationDemand {
            second_factor: true,
            max_age: Some(Duration::from_secs(900)),
        },
        ..Condition::default()
    };
    let requirement = Requirement::AnyOf(vec![condition]);
    let policy = Policy::build(vec![rule(&[], "/a", requirement)], CaseRule::Sensitive).unwrap();
    let path = RequestPath::parse("/a", PathOptions::default()).unwrap();
    let known = || AccessSubject::known(Arc::default(), None);
    let signed_in = |age: Option<u64>, second_factor| {
        known().authenticated(Authentication::SignedIn {
            age: age.map(Duration::from_secs),
            second_factor,
        })
    };
    for (caller, second_factor, age) in [
        (
            AccessSubject::anonymous(None),
            ("no identity", false),
            ("no identity", false),
        ),
        (known(), ("no sign-in", false), ("no sign-in", false)),
        (
            signed_in(None, true),
            ("one", true),
            ("one of unknown age", false),
        ),
        (
            signed_in(Some(901), false),
            ("none", false),
            ("one of 901s ago", false),
        ),
        (
            signed_in(Some(900), true),
            ("one", true),
            ("one of 15m ago", true),
        ),
    ] {
        let explanation = explain(&policy, &Method::GET, &path, &caller);
        let lines = &explanation.winner.unwrap().alternatives[0];
        let lines = lines
            .iter()
            .map(|line| (&*line.asked, &*line.has, line.holds));
        let asked = ["a second factor", "a sign-in within the last 15m"];
        let expected = asked.iter().zip([second_factor, age]);
        let expected = expected.map(|(asked, (has, holds))| (*asked, has, holds));
        assert_eq!(lines.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[test]
fn remedies_say_what_would_be_enough() {
    let path = RequestPath::parse("/a", PathOptions::default()).unwrap();
    let roles = Condition {
        roles: vec![RoleMatch::OneOf(vec!["a".into()])],
        ..Condition::default()
    };
    for (requirement, expected) in [
        (Requirement::Anyone, vec![]),
        (
            Requirement::Authenticated,
            vec!["a caller who is signed in"],
        ),
        (
            Requirement::Nobody,
            vec!["another `allow` than `nobody`, or a rule that is more specific"],
        ),
        (Requirement::AnyOf(vec![roles]), vec!["role `a`"]),
    ] {
        let policy =
            Policy::build(vec![rule(&[], "/a", requirement)], CaseRule::Sensitive).unwrap();
        let caller = AccessSubject::anonymous(None);
        assert_eq!(
            explain(&policy, &Method::GET, &path, &caller).remedies,
            expected
        );
    }
}
