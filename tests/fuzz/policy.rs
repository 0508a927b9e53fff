//! Whatever the rules and the request, `decide` and the naive `explain` agree, and the order of rules does not matter.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gatelatch::access::{
    AccessSubject, Authentication, AuthenticationDemand, CaseRule, Claim, ClaimMatch, ClaimValue, Condition, Decision, Expected, Identity, Methods, Mode,
    PathOptions, Pattern, Policy, RequestPath, Requirement, RoleMatch, Rule, UserMatch,
};
use gatelatch::analysis::explain;
use http::Method;
use arbitrary::{Arbitrary, Unstructured};

#[derive(Arbitrary, Debug)]
struct Input {
    rules: Vec<RawRule>,
    insensitive: bool,
    method: u8,
    path: Vec<Piece>,
    caller: RawCaller,
}

#[derive(Arbitrary, Debug)]
struct RawRule {
    pattern: Vec<Piece>,
    rest: bool,
    methods: Vec<u8>,
    allow: Allow,
}

/// A segment: mostly of a small alphabet, so that rules collide.
#[derive(Arbitrary, Debug)]
enum Piece {
    A,
    UpperA,
    EscapedA,
    B,
    Comma,
    Star,
    Named,
    Text(String),
}

#[derive(Arbitrary, Debug)]
enum Allow {
    Anyone,
    Authenticated,
    Nobody,
    AnyOf(Vec<RawCondition>),
}

#[derive(Arbitrary, Debug)]
struct RawCondition {
    one_of: Option<Vec<u8>>,
    all: Option<Vec<u8>>,
    user: Option<Value>,
    network: Option<(IpAddr, u8)>,
    claim: Option<(u8, Value)>,
    second_factor: bool,
    max_age: Option<u8>,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Small(u8),
    Number(i64),
    Truth(bool),
    Parameter(u8),
}

#[derive(Arbitrary, Debug)]
enum RawCaller {
    Anonymous(Option<IpAddr>),
    Rejected(Option<IpAddr>),
    Known { address: Option<IpAddr>, subject: u8, roles: Vec<u8>, claims: Vec<(u8, Value)>, sign_in: Option<(Option<u8>, bool)> },
}

pub(crate) fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let Ok(path) = RequestPath::parse(&join(&input.path), PathOptions::default()) else { return };
    let case = if input.insensitive { CaseRule::Insensitive } else { CaseRule::Sensitive };
    let Some(rules) = input.rules.iter().map(rule).collect::<Option<Vec<_>>>() else { return };
    let mut reversed = rules.clone();
    reversed.reverse();
    let (policy, reversed) = match (Policy::build(rules, case), Policy::build(reversed, case)) {
        (Ok(policy), Ok(reversed)) => (policy, reversed),
        (Err(_), Err(_)) => return,
        (Ok(_), Err(ties)) | (Err(ties), Ok(_)) => panic!("ties in one order only: {ties:?}"),
    };
    let (method, caller) = (method(input.method), caller(&input.caller));
    let decision = policy.decide(&method, &path, &caller);
    let explanation = explain(&policy, &method, &path, &caller);
    assert_eq!(decision, explanation.decision);
    let other = reversed.decide(&method, &path, &caller);
    assert_eq!(std::mem::discriminant(&decision), std::mem::discriminant(&other));
    if matches!(decision, Decision::Allow(_)) {
        let lines = explanation.winner.expect("an allowed request has a rule").alternatives;
        assert!(lines.is_empty() || lines.iter().any(|lines| lines.iter().all(|line| line.holds)));
    }
}

fn join(pieces: &[Piece]) -> String {
    let segments: Vec<String> = pieces.iter().enumerate().map(segment).collect();
    format!("/{}", segments.join("/"))
}

fn segment((position, piece): (usize, &Piece)) -> String {
    match piece {
        Piece::A => "a".to_owned(),
        Piece::UpperA => "A".to_owned(),
        Piece::EscapedA => "%61".to_owned(),
        Piece::B => "b".to_owned(),
        Piece::Comma => "%2C".to_owned(),
        Piece::Star => "*".to_owned(),
        Piece::Named => format!("{{p{position}}}"),
        Piece::Text(text) => text.clone(),
    }
}

fn rule(raw: &RawRule) -> Option<Rule> {
    let mut text = join(&raw.pattern);
    if raw.rest {
        text.push_str(if text == "/" { "**" } else { "/**" });
    }
    let methods = match raw.methods.as_slice() {
        [] => Methods::All,
        list => Methods::Only(list.iter().copied().map(method).collect()),
    };
    let requirement = match &raw.allow {
        Allow::Anyone => Requirement::Anyone,
        Allow::Authenticated => Requirement::Authenticated,
        Allow::Nobody => Requirement::Nobody,
        Allow::AnyOf(conditions) => Requirement::AnyOf(conditions.iter().map(condition).collect()),
    };
    Some(Rule { name: text.as_str().into(), pattern: Pattern::parse(&text).ok()?, methods, requirement, mode: Mode::Enforce })
}

fn method(seed: u8) -> Method {
    [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS][usize::from(seed % 4)].clone()
}

/// One of three names.
fn name(seed: u8) -> Box<str> {
    ["a", "A", "b"][usize::from(seed % 3)].into()
}

fn names(seeds: &[u8]) -> Vec<Box<str>> {
    seeds.iter().copied().map(name).collect()
}

fn condition(raw: &RawCondition) -> Condition {
    let one_of = raw.one_of.as_deref().map(|roles| RoleMatch::OneOf(names(roles)));
    let all = raw.all.as_deref().map(|roles| RoleMatch::All(names(roles)));
    let user = raw.user.as_ref().map(|user| match expected(user) {
        Expected::Parameter(name) => UserMatch::Parameter(name),
        Expected::Value(value) => UserMatch::OneOf(vec![format!("{value:?}").into(), name(0)]),
    });
    let network = raw.network.and_then(|(address, length)| format!("{address}/{length}").parse().ok());
    let claim = raw.claim.as_ref().map(|(seed, value)| ClaimMatch { name: name(*seed), expected: expected(value) });
    Condition {
        roles: one_of.into_iter().chain(all).collect(),
        user,
        networks: network.into_iter().collect(),
        claims: claim.into_iter().collect(),
        sign_in: AuthenticationDemand {
            second_factor: raw.second_factor,
            max_age: raw.max_age.map(seconds),
        },
    }
}

fn seconds(number: u8) -> Duration {
    Duration::from_secs(number.into())
}

fn expected(value: &Value) -> Expected {
    match value {
        Value::Parameter(seed) => Expected::Parameter(format!("p{}", seed % 4).into()),
        Value::Small(_) | Value::Number(_) | Value::Truth(_) => Expected::Value(claim(value)),
    }
}

fn claim(value: &Value) -> ClaimValue {
    match value {
        Value::Small(seed) | Value::Parameter(seed) => ClaimValue::Text(name(*seed)),
        Value::Number(number) => ClaimValue::Integer(*number),
        Value::Truth(truth) => ClaimValue::Boolean(*truth),
    }
}

fn caller(raw: &RawCaller) -> AccessSubject {
    match raw {
        RawCaller::Anonymous(address) => AccessSubject::anonymous(*address),
        RawCaller::Rejected(address) => AccessSubject::rejected(*address),
        RawCaller::Known { address, subject, roles, claims, sign_in } => {
            let claims = claims.iter().map(|(seed, value)| Claim { name: name(*seed), values: vec![claim(value)] });
            let identity = Identity {
                subject: name(*subject),
                roles: names(roles).into(),
                claims: claims.collect(),
                ..Identity::default()
            };
            let authentication = sign_in.map_or(Authentication::WithoutSignIn, |(age, second_factor)| {
                Authentication::SignedIn { age: age.map(seconds), second_factor }
            });
            AccessSubject::known(Arc::new(identity), *address).authenticated(authentication)
        }
    }
}
