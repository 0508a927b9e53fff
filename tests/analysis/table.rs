//! `routes` against single requests.

use std::sync::Arc;

use gatelatch::access::{
    AccessSubject, Claim, ClaimValue, Condition, Decision, Expected, Identity, PathOptions, Policy,
    RequestPath, Rule, RuleId, Segment, UserMatch,
};
use gatelatch::analysis::{AudienceAccess, CallerAudience, audiences, rows};
use http::Method;
use proptest::prelude::*;

use crate::worlds::pair;

/// A path that the rule's pattern covers, with segments that nothing names.
fn path(rule: &Rule) -> String {
    let segments =
        rule.pattern.segments().iter().enumerate().filter_map(
            |(position, segment)| match segment {
                Segment::Literal(text) => Some(format!("/{}", text.replace(',', "%2C"))),
                Segment::Parameter(_) => Some(format!("/p{position}")),
                Segment::Rest => None,
            },
        );
    let path: String = segments.collect();
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

fn method(rule: &Rule) -> Method {
    match &rule.methods {
        gatelatch::access::Methods::All => Method::PUT,
        gatelatch::access::Methods::Only(methods) => methods[0].clone(),
    }
}

fn roles(audience: &CallerAudience) -> Vec<Box<str>> {
    match audience {
        CallerAudience::Role(role) => vec![role.clone()],
        CallerAudience::Anonymous | CallerAudience::SignedIn => Vec::new(),
    }
}

/// Somebody of the audience, who fulfils the condition as well where there is one.
fn caller(
    audience: &CallerAudience,
    condition: Option<&Condition>,
    path: &RequestPath,
    rule: &Rule,
) -> AccessSubject {
    let text = |name: &str| {
        let position = rule
            .pattern
            .segments()
            .iter()
            .position(|one| *one == Segment::Parameter(Some(name.into())));
        path.segment(position.unwrap()).unwrap().into_owned()
    };
    let address = condition
        .and_then(|one| one.networks.first())
        .map(ipnet::IpNet::addr);
    if *audience == CallerAudience::Anonymous {
        return AccessSubject::anonymous(address);
    }
    let subject = match condition.and_then(|one| one.user.as_ref()) {
        Some(UserMatch::OneOf(users)) => users[0].clone(),
        Some(UserMatch::Parameter(name)) => text(name).into(),
        None => "stranger".into(),
    };
    let claims = condition
        .map(|one| &one.claims[..])
        .unwrap_or_default()
        .iter()
        .map(|claim| {
            let value = match &claim.expected {
                Expected::Value(value) => value.clone(),
                Expected::Parameter(name) => ClaimValue::Text(text(name).into()),
            };
            Claim {
                name: claim.name.clone(),
                values: vec![value],
            }
        });
    let identity = Identity {
        subject,
        roles: roles(audience).into(),
        claims: claims.collect(),
        ..Identity::default()
    };
    let demand = condition.map(|one| one.sign_in).unwrap_or_default();
    AccessSubject::known(Arc::new(identity), address).authenticated(demand.least())
}

/// The answer of this very rule; `None` where another one is more specific.
fn allows(policy: &Policy, id: RuleId, path: &RequestPath, caller: &AccessSubject) -> Option<bool> {
    let method = method(policy.rule(id));
    match policy.decide(&method, path, caller) {
        Decision::Allow(rule) => (rule == id).then_some(true),
        Decision::Challenge(challenge) => (challenge.rule == id).then_some(false),
        Decision::Forbid(forbid) => (forbid.rule == Some(id)).then_some(false),
    }
}

proptest! {
    #[test]
    fn each_cell_is_what_requests_are_told(recipes in pair()) {
        let world = recipes.0.cook();
        let audiences = audiences(world.policies(), ["held"]);
        for policy in world.policies() {
            for row in rows(policy, &audiences) {
                let rule = policy.rule(row.rule);
                let path = RequestPath::parse(&path(rule), PathOptions::default()).unwrap();
                for (audience, cell) in audiences.iter().zip(&row.cells) {
                    let somebody = allows(policy, row.rule, &path, &caller(audience, None, &path, rule));
                    match cell {
                        AudienceAccess::Always => prop_assert_ne!(somebody, Some(false), "{:?} {:?}", audience, rule),
                        AudienceAccess::Never | AudienceAccess::If(_) => prop_assert_ne!(somebody, Some(true), "{:?} {:?}", audience, rule),
                    }
                    let AudienceAccess::If(conditions) = cell else { continue };
                    for condition in conditions {
                        let fitting = caller(audience, Some(condition), &path, rule);
                        let answer = allows(policy, row.rule, &path, &fitting);
                        prop_assert_ne!(answer, Some(false), "{:?} {:?} {:?}", audience, condition, rule);
                    }
                }
            }
        }
    }
}
