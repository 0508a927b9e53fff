//! Who can do what: rules × audiences.

use std::collections::BTreeSet;

use crate::access::{
    ClaimMatch, Condition, Expected, Policy, Requirement, RoleMatch, Rule, RuleId, UserMatch,
};

/// A kind of caller, of whom nothing else is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallerAudience {
    /// Nobody who is known.
    Anonymous,
    /// Somebody who is known, without any role.
    SignedIn,
    /// Somebody who has this role and no other.
    Role(Box<str>),
}

/// Whether a rule admits an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudienceAccess {
    /// All of it.
    Always,
    /// Nobody of it.
    Never,
    /// Those for whom one of these holds; roles are out of them, because the audience has what they ask for.
    If(Vec<Condition>),
}

/// One rule and whom it admits.
#[derive(Clone, Debug)]
pub struct AccessRow {
    /// Which rule.
    pub rule: RuleId,
    /// One answer an audience, in their order.
    pub cells: Vec<AudienceAccess>,
}

/// Anonymous callers, those who signed in, and each role that rules name or users have, by name.
pub fn audiences<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    held: impl IntoIterator<Item = &'a str>,
) -> Vec<CallerAudience> {
    let mut roles: BTreeSet<&str> = held.into_iter().collect();
    for rule in policies.into_iter().flat_map(Policy::rules) {
        roles.extend(
            rule.requirement
                .conditions()
                .iter()
                .flat_map(|one| &one.roles)
                .flat_map(names),
        );
    }
    let roles = roles
        .into_iter()
        .map(|role| CallerAudience::Role(role.into()));
    [CallerAudience::Anonymous, CallerAudience::SignedIn]
        .into_iter()
        .chain(roles)
        .collect()
}

/// One row a rule, in the order of the file.
pub fn rows(policy: &Policy, audiences: &[CallerAudience]) -> Vec<AccessRow> {
    (0..)
        .map(RuleId)
        .zip(policy.rules())
        .map(|(rule, _)| row(policy, rule, audiences))
        .collect()
}

/// The row of one rule.
pub fn row(policy: &Policy, rule: RuleId, audiences: &[CallerAudience]) -> AccessRow {
    let of = policy.rule(rule);
    AccessRow {
        rule,
        cells: audiences.iter().map(|one| access(of, one)).collect(),
    }
}

fn names(demand: &RoleMatch) -> impl Iterator<Item = &str> {
    let (RoleMatch::OneOf(roles) | RoleMatch::All(roles)) = demand;
    roles.iter().map(|role| &**role)
}

/// Whether one rule admits one audience.
pub(super) fn access(rule: &Rule, audience: &CallerAudience) -> AudienceAccess {
    match (&rule.requirement, audience) {
        (Requirement::Anyone, _) => AudienceAccess::Always,
        (Requirement::Nobody, _) | (Requirement::Authenticated, CallerAudience::Anonymous) => {
            AudienceAccess::Never
        }
        (Requirement::Authenticated, CallerAudience::SignedIn | CallerAudience::Role(_)) => {
            AudienceAccess::Always
        }
        (Requirement::AnyOf(conditions), _) => any_of(
            conditions
                .iter()
                .filter_map(|one| left(rule, one, audience)),
        ),
    }
}

/// What is left of the conditions that this audience may fulfil.
fn any_of(left: impl Iterator<Item = Condition>) -> AudienceAccess {
    let left: Vec<_> = left.collect();
    match left
        .iter()
        .any(|condition| *condition == Condition::default())
    {
        true => AudienceAccess::Always,
        false if left.is_empty() => AudienceAccess::Never,
        false => AudienceAccess::If(left),
    }
}

/// The condition without what the audience fulfils anyway; `None` where nobody of it can fulfil the rest.
fn left(rule: &Rule, condition: &Condition, audience: &CallerAudience) -> Option<Condition> {
    let Condition {
        roles,
        user,
        networks,
        claims,
    } = condition;
    let empty = *condition == Condition::default();
    let possible = user.iter().all(|user| may_be(rule, user))
        && claims.iter().all(|claim| may_have(rule, claim));
    let fits = match audience {
        CallerAudience::Anonymous => roles.is_empty() && user.is_none() && claims.is_empty(),
        CallerAudience::SignedIn => roles.is_empty(),
        CallerAudience::Role(role) => roles.iter().all(|demand| is_met(demand, role)),
    };
    let rest = || Condition {
        roles: Vec::new(),
        user: user.clone(),
        networks: networks.clone(),
        claims: claims.clone(),
    };
    (!empty && possible && fits).then(rest)
}

fn is_met(demand: &RoleMatch, role: &str) -> bool {
    match demand {
        RoleMatch::OneOf(roles) => roles.iter().any(|one| **one == *role),
        RoleMatch::All(roles) => !roles.is_empty() && roles.iter().all(|one| **one == *role),
    }
}

fn may_be(rule: &Rule, user: &UserMatch) -> bool {
    match user {
        UserMatch::OneOf(users) => !users.is_empty(),
        UserMatch::Parameter(name) => rule.pattern.parameters().any(|one| one == &**name),
    }
}

fn may_have(rule: &Rule, claim: &ClaimMatch) -> bool {
    match &claim.expected {
        Expected::Value(_) => true,
        Expected::Parameter(name) => rule.pattern.parameters().any(|one| one == &**name),
    }
}
