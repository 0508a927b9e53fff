use core::time::Duration;
use std::sync::Arc;

use super::*;
use crate::access::{
    AccessSubject, Authentication, AuthenticationDemand, Claim, ClaimMatch, ClaimValue, Condition,
    Expected, Identity, MissingRoles, Mode, PathOptions, Pattern, Requirement, RoleMatch,
    UserMatch,
};

fn rule(methods: &str, pattern: &str, requirement: Requirement) -> Rule {
    let methods = match methods {
        "" => Methods::All,
        list => Methods::Only(list.split(',').map(|name| name.parse().unwrap()).collect()),
    };
    Rule {
        name: pattern.into(),
        pattern: Pattern::parse(pattern).unwrap(),
        methods,
        requirement,
        mode: Mode::Enforce,
    }
}

fn policy(rules: &[(&str, &str)], case: CaseRule) -> Result<Policy, Vec<Tie>> {
    Policy::build(
        rules
            .iter()
            .map(|(methods, path)| rule(methods, path, Requirement::Anyone))
            .collect(),
        case,
    )
}

fn path(raw: &str) -> RequestPath {
    let lenient = PathOptions {
        allow_encoded_slash: true,
        allow_semicolon: true,
        ..PathOptions::default()
    };
    RequestPath::parse(raw, lenient).unwrap()
}

/// The pattern that wins a GET, and the method where it names one.
fn winner(policy: &Policy, method: &str, raw: &str) -> String {
    let id = policy.find(&method.parse().unwrap(), &path(raw));
    id.map_or_else(String::new, |id| policy.rule(id).pattern.to_string())
}

#[test]
fn the_most_specific_pattern_wins() {
    let patterns = [
        "/**",
        "/jobs",
        "/jobs/**",
        "/jobs/{id}",
        "/jobs/new",
        "/jobs/*/x",
        "/jobs/new/{y}",
        "/*/new/x",
        "/a,b",
    ];
    let policy = policy(&patterns.map(|pattern| ("", pattern)), CaseRule::Sensitive).unwrap();
    for (raw, expected) in [
        ("/", "/**"),
        ("/jobs", "/jobs"),
        ("/jobs/", "/jobs"),
        ("/jobs/1", "/jobs/{id}"),
        ("/jobs/new", "/jobs/new"),
        ("/jobs/new/", "/jobs/new"),
        ("/jobs/new/x", "/jobs/new/{y}"),
        ("/jobs/1/x", "/jobs/*/x"),
        ("/jobs/1/y", "/jobs/**"),
        ("/jobs/new/x/z", "/jobs/**"),
        ("/other/new/x", "/*/new/x"),
        ("/jobsearch", "/**"),
        ("/Jobs", "/**"),
        ("/%6aobs", "/jobs"),
        ("/a%2cb", "/a,b"),
        ("/a%2Fb", "/**"),
        ("/jobs;v=1", "/**"),
    ] {
        assert_eq!(winner(&policy, "GET", raw), expected, "{raw}");
    }
}

#[test]
fn a_parameter_is_one_segment_that_is_not_empty() {
    let policy = policy(
        &[("", "/users/*"), ("", "/{a}/{b}/{c}")],
        CaseRule::Sensitive,
    )
    .unwrap();
    for (raw, expected) in [
        ("/users/1", true),
        ("/users/", false),
        ("/users", false),
        ("/a/b/c", true),
        ("/a/b", false),
    ] {
        assert_eq!(!winner(&policy, "GET", raw).is_empty(), expected, "{raw}");
    }
}

#[test]
fn a_rule_that_does_not_cover_the_method_is_no_candidate() {
    let rules = [
        ("POST", "/jobs/new"),
        ("GET", "/jobs/{id}"),
        ("HEAD", "/jobs/{x}"),
        ("", "/jobs/*"),
        ("DELETE", "/**"),
    ];
    let policy = policy(&rules, CaseRule::Sensitive).unwrap();
    for (method, raw, expected) in [
        ("POST", "/jobs/new", "/jobs/new"),
        ("GET", "/jobs/new", "/jobs/{id}"),
        ("HEAD", "/jobs/new", "/jobs/{x}"),
        ("PUT", "/jobs/new", "/jobs/*"),
        ("DELETE", "/jobs/new", "/jobs/*"),
        ("DELETE", "/jobs", "/**"),
        ("GET", "/jobs", ""),
        ("get", "/jobs/new", "/jobs/*"),
    ] {
        assert_eq!(winner(&policy, method, raw), expected, "{method} {raw}");
    }
}

#[test]
fn get_covers_head_before_a_rule_without_methods() {
    let policy = policy(
        &[("GET", "/a"), ("", "/{x}"), ("", "/a/")],
        CaseRule::Sensitive,
    )
    .unwrap();
    assert_eq!(winner(&policy, "HEAD", "/a"), "/a");
    assert_eq!(winner(&policy, "POST", "/a"), "/a/");
}

#[test]
fn ties_are_all_reported() {
    let rules = [
        ("GET,POST", "/a"),
        ("", "/a/{x}"),
        ("POST,GET", "/a/"),
        ("", "/a/*"),
        ("HEAD", "/a"),
        ("GET,GET", "/b"),
        ("", "/%61/{y}"),
        ("", "/A/{y}"),
    ];
    let ties = policy(&rules, CaseRule::Sensitive).unwrap_err();
    let tie = |first, second, method| Tie {
        first: RuleId(first),
        second: RuleId(second),
        method,
    };
    assert_eq!(
        ties,
        [
            tie(0, 2, Some(Method::POST)),
            tie(1, 3, None),
            tie(1, 6, None)
        ]
    );
    assert_eq!(policy(&rules, CaseRule::Insensitive).unwrap_err().len(), 4);
}

#[test]
fn folding_reaches_literals_only() {
    let policy = policy(
        &[("", "/Jobs/{id}"), ("", "/straße"), ("", "/ΟΔΟΣ")],
        CaseRule::Insensitive,
    )
    .unwrap();
    for (raw, expected) in [
        ("/JOBS/Eva", "/Jobs/{id}"),
        ("/jobs/eva", "/Jobs/{id}"),
        ("/STRASSE", "/straße"),
        ("/οδος", "/ΟΔΟΣ"),
        ("/οδοσ", "/ΟΔΟΣ"),
        ("/strase", ""),
    ] {
        assert_eq!(winner(&policy, "GET", raw), expected, "{raw}");
    }
    let rule = rule("", "/u/{id}", any(vec![user("{id}")]));
    let policy = Policy::build(vec![rule], CaseRule::Insensitive).unwrap();
    assert_eq!(outcome(&policy, "/U/alice", &alice()), "allow");
    assert_eq!(outcome(&policy, "/u/Alice", &alice()), "Access denied");
}

#[test]
fn long_paths_and_deep_patterns_do_not_overflow() {
    let deep = format!("{}/**", "/*".repeat(127));
    let policy = policy(&[("", &deep), ("", "/a/**")], CaseRule::Sensitive).unwrap();
    assert_eq!(winner(&policy, "GET", &"/a".repeat(100_000)), "/a/**");
    assert_eq!(winner(&policy, "GET", &"/b".repeat(100_000)), deep);
}

fn any(conditions: Vec<Condition>) -> Requirement {
    Requirement::AnyOf(conditions)
}

fn names(list: &str) -> Vec<Box<str>> {
    list.split_whitespace().map(Box::from).collect()
}

fn roles(list: &str) -> Condition {
    Condition {
        roles: vec![RoleMatch::OneOf(names(list))],
        ..Condition::default()
    }
}

fn all_roles(list: &str) -> Condition {
    Condition {
        roles: vec![RoleMatch::All(names(list))],
        ..Condition::default()
    }
}

fn user(text: &str) -> Condition {
    let name = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let user = name.map_or_else(
        || UserMatch::OneOf(names(text)),
        |name| UserMatch::Parameter(name.into()),
    );
    Condition {
        user: Some(user),
        ..Condition::default()
    }
}

fn networks(list: &str) -> Condition {
    Condition {
        networks: list.split(' ').map(|net| net.parse().unwrap()).collect(),
        ..Condition::default()
    }
}

fn claim(name: &str, expected: Expected) -> Condition {
    Condition {
        claims: vec![ClaimMatch {
            name: name.into(),
            expected,
        }],
        ..Condition::default()
    }
}

fn sign_in(second_factor: bool, max_age: Option<u64>) -> Condition {
    Condition {
        sign_in: AuthenticationDemand {
            second_factor,
            max_age: max_age.map(Duration::from_secs),
        },
        ..Condition::default()
    }
}

fn alice() -> AccessSubject {
    let values = vec![
        ClaimValue::Text("acme".into()),
        ClaimValue::Integer(7),
        ClaimValue::Boolean(true),
    ];
    let claims = vec![Claim {
        name: "tenant".into(),
        values,
    }];
    let identity = Identity {
        subject: "alice".into(),
        roles: names("dev ops").into(),
        claims,
        ..Identity::default()
    };
    AccessSubject::known(Arc::new(identity), "::ffff:10.1.2.3".parse().ok())
}

fn outcome(policy: &Policy, raw: &str, caller: &AccessSubject) -> String {
    match policy.decide(&Method::GET, &path(raw), caller) {
        Decision::Allow(_) => match caller.identity() {
            Some(_) => "allow".into(),
            None => "allow as nobody".into(),
        },
        Decision::Challenge(challenge) => match challenge.reason {
            ChallengeReason::Absent(_) => "challenge".into(),
            ChallengeReason::Rejected(_) => "challenge the rejected".into(),
            ChallengeReason::SignIn(demand) => format!("ask for {demand}"),
        },
        Decision::Forbid(forbid) => forbid.reason.to_string(),
    }
}

#[test]
fn each_requirement_meets_each_caller() {
    let denied = "Access denied";
    for (requirement, anonymous, rejected, known) in [
        (
            Requirement::Anyone,
            "allow as nobody",
            "allow as nobody",
            "allow",
        ),
        (
            Requirement::Authenticated,
            "challenge",
            "challenge the rejected",
            "allow",
        ),
        (Requirement::Nobody, denied, denied, denied),
        (any(vec![]), denied, denied, denied),
        (any(vec![Condition::default()]), denied, denied, denied),
        (
            any(vec![roles("dev")]),
            "challenge",
            "challenge the rejected",
            "allow",
        ),
        (
            any(vec![roles("a")]),
            "challenge",
            "challenge the rejected",
            "Access denied. Requires role: a",
        ),
        (
            any(vec![networks("10.0.0.0/8")]),
            "allow as nobody",
            "allow as nobody",
            "allow",
        ),
        (any(vec![networks("192.0.2.0/24")]), denied, denied, denied),
    ] {
        let policy = Policy::build(
            vec![rule("", "/**", requirement.clone())],
            CaseRule::Sensitive,
        )
        .unwrap();
        let address = "10.9.9.9".parse().ok();
        assert_eq!(
            outcome(&policy, "/", &AccessSubject::anonymous(address)),
            anonymous,
            "{requirement:?}"
        );
        assert_eq!(
            outcome(&policy, "/", &AccessSubject::rejected(address)),
            rejected,
            "{requirement:?}"
        );
        assert_eq!(outcome(&policy, "/", &alice()), known, "{requirement:?}");
        let nothing = Policy::build(vec![], CaseRule::Sensitive).unwrap();
        assert_eq!(outcome(&nothing, "/", &alice()), denied);
    }
}

#[test]
fn conditions_hold_or_say_which_roles_are_missing() {
    let text = |value: &str| Expected::Value(ClaimValue::Text(value.into()));
    let with = |mut one: Condition, other: Condition| {
        one.roles.extend(other.roles);
        one.user = one.user.or(other.user);
        one.networks.extend(other.networks);
        one.claims.extend(other.claims);
        one
    };
    let denied = "Access denied";
    for (conditions, raw, expected) in [
        (vec![roles("a dev")], "/x", "allow"),
        (vec![roles("")], "/x", denied),
        (
            vec![roles("a b")],
            "/x",
            "Access denied. Requires role: a or b",
        ),
        (
            vec![roles("a"), roles("b a")],
            "/x",
            "Access denied. Requires role: a or b",
        ),
        (vec![all_roles("dev ops")], "/x", "allow"),
        (vec![all_roles("")], "/x", denied),
        (
            vec![all_roles("dev a")],
            "/x",
            "Access denied. Requires roles: dev and a",
        ),
        (vec![all_roles("a b"), roles("c")], "/x", denied),
        (vec![all_roles("a b"), all_roles("c")], "/x", denied),
        (vec![with(roles("a"), all_roles("b"))], "/x", denied),
        (
            vec![with(roles("dev"), all_roles("b c"))],
            "/x",
            "Access denied. Requires roles: b and c",
        ),
        (vec![user("bob alice")], "/x", "allow"),
        (vec![user("bob")], "/x", denied),
        (vec![user("{id}")], "/alice", "allow"),
        (vec![user("{id}")], "/%61lice", "allow"),
        (vec![user("{id}")], "/bob", denied),
        (vec![user("{none}")], "/alice", denied),
        (vec![roles("a"), user("{id}")], "/bob", denied),
        (vec![roles("a"), user("{id}")], "/alice", "allow"),
        (
            vec![with(roles("a"), user("alice"))],
            "/x",
            "Access denied. Requires role: a",
        ),
        (vec![with(roles("a"), user("bob"))], "/x", denied),
        (vec![networks("10.1.0.0/16")], "/x", "allow"),
        (vec![networks("::ffff:10.0.0.0/104")], "/x", "allow"),
        (vec![networks("::/0")], "/x", denied),
        (vec![networks("192.0.2.0/24 10.1.2.3/32")], "/x", "allow"),
        (
            vec![with(roles("dev"), networks("192.0.2.0/24"))],
            "/x",
            denied,
        ),
        (vec![claim("tenant", text("acme"))], "/x", "allow"),
        (vec![claim("tenant", text("true"))], "/x", denied),
        (
            vec![claim("tenant", Expected::Value(ClaimValue::Boolean(true)))],
            "/x",
            "allow",
        ),
        (
            vec![claim("tenant", Expected::Value(ClaimValue::Integer(7)))],
            "/x",
            "allow",
        ),
        (
            vec![claim("tenant", Expected::Parameter("id".into()))],
            "/acme",
            "allow",
        ),
        (
            vec![claim("tenant", Expected::Parameter("id".into()))],
            "/7",
            "allow",
        ),
        (
            vec![claim("tenant", Expected::Parameter("id".into()))],
            "/07",
            denied,
        ),
        (
            vec![claim("tenant", Expected::Parameter("id".into()))],
            "/+7",
            denied,
        ),
        (
            vec![claim("tenant", Expected::Parameter("id".into()))],
            "/true",
            denied,
        ),
        (vec![claim("other", text("acme"))], "/x", denied),
    ] {
        let policy = Policy::build(
            vec![rule("", "/{id}", any(conditions.clone()))],
            CaseRule::Sensitive,
        )
        .unwrap();
        assert_eq!(
            outcome(&policy, raw, &alice()),
            expected,
            "{raw} {conditions:?}"
        );
    }
}

#[test]
fn only_those_are_challenged_whom_an_identity_could_help() {
    let mixed = Condition {
        networks: networks("192.0.2.0/24").networks,
        ..roles("a")
    };
    for (conditions, expected) in [
        (vec![mixed.clone()], "Access denied"),
        (vec![mixed, roles("a")], "challenge"),
        (vec![networks("192.0.2.0/24"), user("{id}")], "challenge"),
        (vec![user("{none}")], "Access denied"),
        (vec![roles("")], "Access denied"),
        (
            vec![claim("a", Expected::Parameter("none".into()))],
            "Access denied",
        ),
    ] {
        let policy = Policy::build(
            vec![rule("", "/{id}", any(conditions.clone()))],
            CaseRule::Sensitive,
        )
        .unwrap();
        assert_eq!(
            outcome(&policy, "/x", &AccessSubject::anonymous(None)),
            expected,
            "{conditions:?}"
        );
    }
}

#[test]
fn a_permit_names_what_was_decided() {
    let policy = Policy::build(
        vec![rule("", "/{id}", any(vec![roles("a"), all_roles("ops")]))],
        CaseRule::Sensitive,
    )
    .unwrap();
    let (path, caller) = (path("/x"), Caller::identified(alice()));
    let permit = policy.enforce(&Method::GET, &path, &caller).unwrap();
    assert_eq!((permit.rule(), permit.path()), (Some(RuleId(0)), &path));
    assert_eq!(&*permit.identity().unwrap().subject, "alice");
    let missing = Forbid {
        rule: Some(RuleId(0)),
        reason: ForbidReason::Roles(MissingRoles::OneOf(names("a"))),
        about: DecidedPath::Target,
    };
    let policy = Policy::build(
        vec![rule("", "/{id}", any(vec![roles("a a")]))],
        CaseRule::Sensitive,
    )
    .unwrap();
    assert_eq!(
        policy.enforce(&Method::GET, &path, &caller).unwrap_err(),
        PolicyDenial::Forbid(missing)
    );
}

/// An enforced denial of either path counts, whatever becomes of the other; a reported one is carried.
#[test]
fn a_permit_covers_both_paths_or_there_is_none() {
    let mut rules = vec![
        rule("", "/allowed", Requirement::Anyone),
        rule("", "/denied", Requirement::Nobody),
        rule("", "/reported", Requirement::Nobody),
    ];
    rules[2].mode = Mode::Report;
    let policy = Policy::build(rules, CaseRule::Sensitive).unwrap();
    let caller = Caller::identified(alice());
    let names = ["/allowed", "/denied", "/reported"];
    for (target, destination) in names
        .into_iter()
        .flat_map(|one| names.map(|other| (one, other)))
    {
        let (target, destination) = (path(target), path(destination));
        let paths = RequestedPaths {
            target: &target,
            destination: Some(&destination),
        };
        let is = |name: &str| [target.as_str() == name, destination.as_str() == name];
        let about = |first: bool| match first {
            true => DecidedPath::Target,
            false => DecidedPath::Destination,
        };
        match policy.enforce(&Method::GET, paths, &caller) {
            Ok(permit) => {
                assert_eq!(is("/denied"), [false, false]);
                assert_eq!(
                    (permit.path(), permit.destination()),
                    (&target, Some(&destination))
                );
                let [first, second] = is("/reported");
                let expected = (first || second).then(|| about(first));
                let carried = permit.denial().map(|denial| match denial {
                    PolicyDenial::Forbid(forbid) => forbid.about,
                    PolicyDenial::Challenge(challenge) => challenge.about,
                });
                assert_eq!(carried, expected, "{target} {destination}");
            }
            Err(PolicyDenial::Forbid(forbid)) => {
                let [first, second] = is("/denied");
                assert!(first || second, "{target} {destination}");
                assert_eq!(forbid.about, about(first));
            }
            Err(PolicyDenial::Challenge(_)) => panic!("{target} {destination}"),
        }
    }
}

/// Of callers who signed in 20 minutes ago, with a second factor and without, of one whose sign-in is unknown, and of an
/// API key.
#[test]
fn a_sign_in_that_is_not_enough_is_asked_for_again_where_somebody_can_sign_in() {
    let both = |roles: Condition, sign_in: Condition| Condition {
        sign_in: sign_in.sign_in,
        ..roles
    };
    let second = "ask for a sign-in with a second factor";
    let recent = "ask for a sign-in within the last 15m";
    let refused = "Access denied. Requires a sign-in with a second factor";
    for (conditions, expected) in [
        (
            vec![sign_in(true, None)],
            ["allow", second, second, refused],
        ),
        (
            vec![sign_in(false, Some(900))],
            [
                recent,
                recent,
                recent,
                "Access denied. Requires a sign-in within the last 15m",
            ],
        ),
        (
            vec![sign_in(false, Some(1200))],
            [
                "allow",
                "allow",
                "ask for a sign-in within the last 20m",
                "Access denied. Requires a sign-in within the last 20m",
            ],
        ),
        (
            vec![both(roles("dev"), sign_in(true, None))],
            ["allow", second, second, refused],
        ),
        // what else is missing comes first
        (
            vec![both(roles("boss"), sign_in(true, Some(900)))],
            ["Access denied"; 4],
        ),
        (
            vec![both(roles("boss"), sign_in(true, None))],
            [
                "Access denied. Requires role: boss",
                "Access denied",
                "Access denied",
                "Access denied",
            ],
        ),
        (
            vec![both(networks("192.0.2.0/24"), sign_in(true, None))],
            ["Access denied"; 4],
        ),
        // the least that is enough, whatever the order
        (
            vec![
                sign_in(true, None),
                sign_in(false, Some(600)),
                sign_in(false, Some(900)),
            ],
            [
                "allow",
                recent,
                recent,
                "Access denied. Requires a sign-in within the last 15m",
            ],
        ),
        (vec![sign_in(true, None), roles("dev")], ["allow"; 4]),
    ] {
        let requirement = any(conditions.clone());
        let policy = Policy::build(vec![rule("", "/**", requirement)], CaseRule::Sensitive);
        let signed_in = |age: Option<u64>, second_factor| {
            alice().authenticated(Authentication::SignedIn {
                age: age.map(Duration::from_secs),
                second_factor,
            })
        };
        let callers = [
            signed_in(Some(1200), true),
            signed_in(Some(1200), false),
            signed_in(None, false),
            alice(),
        ];
        let outcomes = callers.map(|caller| outcome(policy.as_ref().unwrap(), "/", &caller));
        assert_eq!(outcomes, expected, "{conditions:?}");
    }
}

#[test]
fn whoever_has_no_identity_is_asked_to_sign_in_first() {
    let policy = |condition| {
        let rules = vec![rule("", "/**", any(vec![condition]))];
        Policy::build(rules, CaseRule::Sensitive).unwrap()
    };
    let anonymous = AccessSubject::anonymous("10.0.0.1".parse().ok());
    let near = Condition {
        sign_in: sign_in(true, None).sign_in,
        ..networks("10.0.0.0/8")
    };
    let far = Condition {
        sign_in: sign_in(true, None).sign_in,
        ..networks("192.0.2.0/24")
    };
    for (condition, expected) in [
        (sign_in(true, None), "challenge"),
        (sign_in(false, Some(60)), "challenge"),
        (near, "challenge"),
        (far, "Access denied"),
    ] {
        assert_eq!(outcome(&policy(condition), "/", &anonymous), expected);
    }
}
