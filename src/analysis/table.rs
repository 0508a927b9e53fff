//! Which audiences each rule admits: rules × audiences.

use std::collections::BTreeSet;

use crate::access::{
    ClaimMatch, Condition, Expected, Policy, Requirement, RoleMatch, Rule, RuleId, UserMatch,
};

/// A kind of caller, described by nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallerAudience {
    /// Callers without an identity.
    Anonymous,
    /// Authenticated callers without any role.
    SignedIn,
    /// Callers with this role and no other.
    Role(Box<str>),
}

/// How much of an audience a rule admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudienceAccess {
    /// All of it.
    Always,
    /// None of it.
    Never,
    /// Those who fulfil one of these conditions. Roles are removed from them, because the audience has them.
    If(Vec<Condition>),
}

/// One rule and the audiences that it admits.
#[derive(Clone, Debug)]
pub struct AccessRow {
    /// Which rule.
    pub rule: RuleId,
    /// One cell for each audience, in their order.
    pub cells: Vec<AudienceAccess>,
}

/// Anonymous callers, authenticated ones, and each role that rules name or users have, by name.
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

/// One row for each rule, in the order of the file.
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

/// The access that remains of the conditions that this audience may fulfil.
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

/// The condition without what the audience always fulfils; `None` where no member can fulfil the rest.
fn left(rule: &Rule, condition: &Condition, audience: &CallerAudience) -> Option<Condition> {
    let (roles, user, claims) = (&condition.roles, &condition.user, &condition.claims);
    let empty = *condition == Condition::default();
    let possible = user.iter().all(|user| may_be(rule, user))
        && claims.iter().all(|claim| may_have(rule, claim));
    let fits = match audience {
        CallerAudience::Anonymous => {
            let is_open = roles.is_empty() && user.is_none() && claims.is_empty();
            is_open && condition.sign_in.is_empty()
        }
        CallerAudience::SignedIn => roles.is_empty(),
        CallerAudience::Role(role) => roles.iter().all(|demand| is_met(demand, role)),
    };
    let rest = || Condition {
        roles: Vec::new(),
        ..condition.clone()
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
