//! The conditions of the winning rule in words, each with its result.

use super::explanation::{ConditionReport, RuleReport};
use crate::access::{
    AccessSubject, Authentication, AuthenticationDemand, ClaimMatch, ClaimValue, Condition,
    EvaluationContext, Expected, RequestPath, Requirement, RoleMatch, Rule, RuleId, ShortDuration,
    UserMatch,
};

pub(super) fn report(
    id: RuleId,
    rule: &Rule,
    path: &RequestPath,
    caller: &AccessSubject,
) -> RuleReport {
    let context = EvaluationContext::new(rule, path, caller);
    let alternatives = match &rule.requirement {
        Requirement::AnyOf(conditions) => conditions
            .iter()
            .map(|one| alternative(one, context))
            .collect(),
        Requirement::Anyone | Requirement::Authenticated | Requirement::Nobody => Vec::new(),
    };
    RuleReport {
        rule: id,
        alternatives,
    }
}

/// One line for each entry; an empty condition has one line, which does not hold.
fn alternative(condition: &Condition, context: EvaluationContext<'_>) -> Vec<ConditionReport> {
    if condition.is_empty() {
        let asked = "nothing, which holds for no one".to_owned();
        return vec![ConditionReport {
            asked,
            has: "nothing".to_owned(),
            holds: false,
        }];
    }
    let roles = condition.roles.iter().map(|demand| {
        let holds = context.has_roles(demand);
        line(role(demand), held_roles(context), holds)
    });
    let user = condition.user.iter().map(|user| {
        let holds = context.is_user(user);
        line(subject(user, context), held_subject(context), holds)
    });
    let claims = condition.claims.iter().map(|claim| {
        let holds = context.has_claim(claim);
        line(fact(claim, context), held_claim(claim, context), holds)
    });
    roles
        .chain(user)
        .chain(networks(condition, context))
        .chain(claims)
        .chain(second_factor(condition, context))
        .chain(max_age(condition, context))
        .collect()
}

/// The line for `networks`, where the condition has any.
fn networks(condition: &Condition, context: EvaluationContext<'_>) -> Option<ConditionReport> {
    let networks = &condition.networks;
    if networks.is_empty() {
        return None;
    }
    let address = context
        .address()
        .map_or("no address".to_owned(), |address| format!("`{address}`"));
    let asked = format!("address in {}", quoted(networks, "or"));
    Some(line(asked, address, context.is_in(networks)))
}

/// The line for `second_factor`, where the condition asks for one.
fn second_factor(condition: &Condition, context: EvaluationContext<'_>) -> Option<ConditionReport> {
    condition.sign_in.second_factor.then(|| {
        let (has, holds) = match context.authentication() {
            _ if context.identity().is_none() => (NO_IDENTITY, false),
            Authentication::WithoutSignIn => (NO_SIGN_IN, false),
            Authentication::SignedIn { second_factor, .. } if second_factor => ("one", true),
            Authentication::SignedIn { .. } => ("none", false),
        };
        line("a second factor".to_owned(), has.to_owned(), holds)
    })
}

/// The line for `max_age`, where the condition has one.
fn max_age(condition: &Condition, context: EvaluationContext<'_>) -> Option<ConditionReport> {
    let demand = AuthenticationDemand {
        second_factor: false,
        max_age: Some(condition.sign_in.max_age?),
    };
    let has = match context.authentication() {
        _ if context.identity().is_none() => NO_IDENTITY.to_owned(),
        Authentication::WithoutSignIn => NO_SIGN_IN.to_owned(),
        Authentication::SignedIn { age: Some(age), .. } => {
            format!("one of {} ago", ShortDuration(age))
        }
        Authentication::SignedIn { age: None, .. } => "one of unknown age".to_owned(),
    };
    let holds = demand.is_met_by(context.authentication());
    Some(line(demand.to_string(), has, holds))
}

fn line(asked: String, has: String, holds: bool) -> ConditionReport {
    ConditionReport { asked, has, holds }
}

const NO_IDENTITY: &str = "no identity";
const NO_SIGN_IN: &str = "no sign-in";

fn held_roles(context: EvaluationContext<'_>) -> String {
    let Some(identity) = context.identity() else {
        return NO_IDENTITY.to_owned();
    };
    match &*identity.roles {
        [] => "no roles".to_owned(),
        [role] => format!("role `{role}`"),
        roles => format!("roles {}", quoted(roles, "and")),
    }
}

fn held_subject(context: EvaluationContext<'_>) -> String {
    context
        .identity()
        .map_or(NO_IDENTITY.to_owned(), |identity| {
            format!("`{}`", identity.subject)
        })
}

fn held_claim(claim: &ClaimMatch, context: EvaluationContext<'_>) -> String {
    let Some(identity) = context.identity() else {
        return NO_IDENTITY.to_owned();
    };
    let held = identity
        .claims
        .iter()
        .filter(|held| held.name == claim.name)
        .flat_map(|held| &held.values);
    let held: Vec<String> = held.map(value).collect();
    if held.is_empty() {
        "no such claim".to_owned()
    } else {
        held.join(" and ")
    }
}

fn value(value: &ClaimValue) -> String {
    match value {
        ClaimValue::Text(text) => format!("`{text}`"),
        ClaimValue::Integer(number) => number.to_string(),
        ClaimValue::Boolean(truth) => truth.to_string(),
    }
}

fn role(demand: &RoleMatch) -> String {
    match demand {
        RoleMatch::OneOf(roles) => format!("role {}", quoted(roles, "or")),
        RoleMatch::All(roles) => format!("roles {}", quoted(roles, "and")),
    }
}

fn subject(user: &UserMatch, context: EvaluationContext<'_>) -> String {
    match user {
        UserMatch::OneOf(users) => format!("user = {}", quoted(users, "or")),
        UserMatch::Parameter(name) => format!("user = {}", parameter(name, context)),
    }
}

fn fact(claim: &ClaimMatch, context: EvaluationContext<'_>) -> String {
    let expected = match &claim.expected {
        Expected::Value(expected) => value(expected),
        Expected::Parameter(name) => parameter(name, context),
    };
    format!("claim `{}` = {expected}", claim.name)
}

fn parameter(name: &str, context: EvaluationContext<'_>) -> String {
    match context.parameter(name) {
        Some(value) => format!("`{{{name}}}` (`{value}`)"),
        None => format!("`{{{name}}}` (no parameter of the pattern)"),
    }
}

/// `` `a` or `b` ``; `none` where the list is empty.
fn quoted<T: std::fmt::Display>(names: impl IntoIterator<Item = T>, joint: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(&format!(" {joint} "))
    }
}
