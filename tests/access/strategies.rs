//! Rules, paths and callers over alphabets so small that they collide.

use std::sync::Arc;
use std::time::Duration;

use gatelatch::access::{
    AccessSubject, Authentication, AuthenticationDemand, Claim, ClaimMatch, ClaimValue, Condition,
    Expected, Identity, Methods, Mode, Pattern, Requirement, RoleMatch, Rule, Subjects, UserMatch,
};
use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
const ROLES: [&str; 3] = ["r", "s", "t"];
const NETWORKS: [&str; 3] = ["10.0.0.0/8", "::ffff:10.1.0.0/112", "2001:db8::/32"];

pub(crate) fn method() -> impl Strategy<Value = Method> {
    select(&METHODS[..])
}

/// A raw path of up to four segments out of `a`, `A`, `b` and an escaped comma.
pub(crate) fn path() -> impl Strategy<Value = String> {
    (
        vec(select(vec!["a", "A", "%61", "b", "%2c", ","]), 0..5),
        select(vec!["", "/"]),
    )
        .prop_map(|(segments, end)| {
            format!(
                "/{}{}",
                segments.join("/"),
                if segments.is_empty() { "" } else { end }
            )
        })
}

/// A pattern over the same segments. Parameters are named by their position, so that names are unique.
fn pattern() -> impl Strategy<Value = Pattern> {
    (
        vec(select(vec!["a", "A", "b", ",", "*", "{}"]), 0..4),
        select(vec!["", "**"]),
    )
        .prop_map(|(segments, rest)| {
            let named = segments
                .iter()
                .enumerate()
                .map(|(position, segment)| match *segment {
                    "{}" => format!("{{p{position}}}"),
                    other => other.to_owned(),
                });
            let text: Vec<String> = named
                .chain((!rest.is_empty()).then(|| rest.to_owned()))
                .collect();
            Pattern::parse(&format!("/{}", text.join("/"))).unwrap()
        })
}

fn methods() -> impl Strategy<Value = Methods> {
    prop_oneof![
        Just(Methods::All),
        subsequence(METHODS.to_vec(), 1..3).prop_map(Methods::Only)
    ]
}

fn names() -> impl Strategy<Value = Vec<Box<str>>> {
    subsequence(ROLES.to_vec(), 0..3).prop_map(|names| names.into_iter().map(Box::from).collect())
}

fn parameter() -> impl Strategy<Value = Box<str>> {
    select(vec!["p0", "p1", "p2"]).prop_map(Box::from)
}

fn role_match() -> impl Strategy<Value = RoleMatch> {
    prop_oneof![
        names().prop_map(RoleMatch::OneOf),
        names().prop_map(RoleMatch::All)
    ]
}

fn user_match() -> impl Strategy<Value = UserMatch> {
    let users = subsequence(vec!["a", "b"], 0..2)
        .prop_map(|users| users.into_iter().map(Box::from).collect());
    prop_oneof![
        users.prop_map(UserMatch::OneOf),
        parameter().prop_map(UserMatch::Parameter)
    ]
}

fn value() -> impl Strategy<Value = ClaimValue> {
    prop_oneof![
        select(vec!["a", "b", "7"]).prop_map(|text| ClaimValue::Text(text.into())),
        (6..8_i64).prop_map(ClaimValue::Integer),
        any::<bool>().prop_map(ClaimValue::Boolean),
    ]
}

fn claim_match() -> impl Strategy<Value = ClaimMatch> {
    let expected = prop_oneof![
        value().prop_map(Expected::Value),
        parameter().prop_map(Expected::Parameter)
    ];
    (select(vec!["c", "d"]), expected).prop_map(|(name, expected)| ClaimMatch {
        name: name.into(),
        expected,
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let networks = subsequence(NETWORKS.to_vec(), 0..3);
    let networks = prop_oneof![2 => Just(vec![]), 1 => networks];
    (
        vec(role_match(), 0..3),
        prop::option::of(user_match()),
        networks,
        vec(claim_match(), 0..2),
        demand(),
    )
        .prop_map(|(roles, user, networks, claims, sign_in)| Condition {
            roles,
            user,
            networks: networks
                .into_iter()
                .map(|net| net.parse().unwrap())
                .collect(),
            claims,
            sign_in,
        })
}

fn demand() -> impl Strategy<Value = AuthenticationDemand> {
    let max_age = prop::option::weighted(0.2, select(vec![60, 900]).prop_map(Duration::from_secs));
    (prop::bool::weighted(0.2), max_age).prop_map(|(second_factor, max_age)| AuthenticationDemand {
        second_factor,
        max_age,
    })
}

pub(crate) fn authentication() -> impl Strategy<Value = Authentication> {
    let age = prop::option::of(select(vec![0, 60, 61, 900, 901]).prop_map(Duration::from_secs));
    let signed_in = (age, any::<bool>())
        .prop_map(|(age, second_factor)| Authentication::SignedIn { age, second_factor });
    prop_oneof![1 => Just(Authentication::WithoutSignIn), 3 => signed_in]
}

fn requirement() -> impl Strategy<Value = Requirement> {
    prop_oneof![
        1 => Just(Requirement::Anyone),
        1 => Just(Requirement::Authenticated),
        1 => Just(Requirement::Nobody),
        5 => vec(condition(), 0..4).prop_map(Requirement::AnyOf),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    (pattern(), methods(), requirement()).prop_map(|(pattern, methods, requirement)| Rule {
        name: pattern.source().into(),
        pattern,
        methods,
        requirement,
        mode: Mode::Enforce,
    })
}

pub(crate) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    vec(rule(), 0..12)
}

pub(crate) fn identity() -> impl Strategy<Value = Identity> {
    let claim = (select(vec!["c", "d"]), vec(value(), 0..3));
    let claims = vec(
        claim.prop_map(|(name, values)| Claim {
            name: name.into(),
            values,
        }),
        0..3,
    );
    let subjects = select(vec![Subjects::Users, Subjects::Users, Subjects::Foreign]);
    let parts = (select(vec!["a", "A", "b", ","]), names(), claims, subjects);
    parts.prop_map(|(subject, roles, claims, subjects)| Identity {
        subject: subject.into(),
        roles: roles.into(),
        claims,
        subjects,
        ..Identity::default()
    })
}

pub(crate) fn caller() -> impl Strategy<Value = AccessSubject> {
    let addresses = [
        "10.0.0.1",
        "::ffff:10.1.0.1",
        "10.1.0.1",
        "2001:db8::1",
        "192.0.2.1",
    ];
    let address = prop::option::of(select(
        addresses.map(|address| address.parse().unwrap()).to_vec(),
    ));
    let parts = (address, 0..4, identity(), authentication());
    parts.prop_map(|(address, kind, identity, authentication)| match kind {
        0 => AccessSubject::anonymous(address),
        1 => AccessSubject::rejected(address),
        _ => AccessSubject::known(Arc::new(identity), address).authenticated(authentication),
    })
}
