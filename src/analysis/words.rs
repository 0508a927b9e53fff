//! Requirements in words, short enough for a table.

use http::Method;

use crate::access::{
    ClaimMatch, ClaimValue, Condition, Expected, Methods, Requirement, RoleMatch, UserMatch,
};

/// A requirement: `authenticated`, or ``role admin, or user = {id}``.
pub fn in_words(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Anyone => "anyone".to_owned(),
        Requirement::Authenticated => "authenticated".to_owned(),
        Requirement::Nobody => "nobody".to_owned(),
        Requirement::AnyOf(conditions) => conditions
            .iter()
            .map(condition_in_words)
            .collect::<Vec<_>>()
            .join(", or "),
    }
}

/// One condition: `role admin and from 10.0.0.0/8`.
pub fn condition_in_words(condition: &Condition) -> String {
    let roles = condition.roles.iter().map(role);
    let user = condition.user.iter().map(user);
    let networks = (!condition.networks.is_empty())
        .then(|| format!("from {}", joined(&condition.networks, "or")));
    let parts: Vec<_> = roles
        .chain(user)
        .chain(networks)
        .chain(condition.claims.iter().map(claim))
        .chain((!condition.sign_in.is_empty()).then(|| condition.sign_in.to_string()))
        .collect();
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        parts.join(" and ")
    }
}

/// `any method`, or `GET, POST`.
pub fn methods_in_words(methods: &Methods) -> String {
    match methods {
        Methods::All => "any method".to_owned(),
        Methods::Only(methods) => methods
            .iter()
            .map(Method::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn role(demand: &RoleMatch) -> String {
    match demand {
        RoleMatch::OneOf(roles) => format!("role {}", joined(roles, "or")),
        RoleMatch::All(roles) if roles.len() == 1 => format!("role {}", roles[0]),
        RoleMatch::All(roles) => format!("roles {}", joined(roles, "and")),
    }
}

fn user(user: &UserMatch) -> String {
    match user {
        UserMatch::OneOf(users) => format!("user = {}", joined(users, "or")),
        UserMatch::Parameter(name) => format!("user = {{{name}}}"),
    }
}

fn claim(claim: &ClaimMatch) -> String {
    let expected = match &claim.expected {
        Expected::Value(value) => value_in_words(value),
        Expected::Parameter(name) => format!("{{{name}}}"),
    };
    format!("claim {} = {expected}", claim.name)
}

/// A claim's value as in YAML.
pub(super) fn value_in_words(value: &ClaimValue) -> String {
    match value {
        ClaimValue::Text(text) => text.to_string(),
        ClaimValue::Integer(number) => number.to_string(),
        ClaimValue::Boolean(truth) => truth.to_string(),
    }
}

fn joined<T: ToString>(items: &[T], joint: &str) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(&format!(" {joint} "))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::access::AuthenticationDemand;

    #[test]
    fn conditions_read_as_sentences() {
        let boxed = |names: &[&str]| {
            names
                .iter()
                .map(|name| Box::from(*name))
                .collect::<Vec<Box<str>>>()
        };
        let claims = vec![ClaimMatch {
            name: "tenant".into(),
            expected: Expected::Parameter("t".into()),
        }];
        let admin = Condition {
            roles: vec![
                RoleMatch::OneOf(boxed(&["admin", "root"])),
                RoleMatch::All(boxed(&["a", "b"])),
            ],
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..Condition::default()
        };
        let own = Condition {
            user: Some(UserMatch::Parameter("id".into())),
            claims,
            sign_in: AuthenticationDemand {
                second_factor: true,
                max_age: Some(Duration::from_secs(900)),
            },
            ..Condition::default()
        };
        assert_eq!(
            in_words(&Requirement::AnyOf(vec![admin, own])),
            "role admin or root and roles a and b and from 10.0.0.0/8, or user = {id} and claim tenant = {t} and a sign-in \
             with a second factor within the last 15m"
        );
        assert_eq!(
            in_words(&Requirement::AnyOf(vec![Condition::default()])),
            "nothing"
        );
        assert_eq!(in_words(&Requirement::Nobody), "nobody");
    }
}
