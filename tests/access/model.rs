//! The contract once more, written as plainly as it reads, with no code of the core but its types.

use std::net::IpAddr;
use std::time::Duration;

use gatelatch::access::{
    AccessSubject, Authentication, CaseRule, Claim, ClaimMatch, ClaimValue, Condition, Expected,
    Identity, Methods, Requirement, RoleMatch, Rule, Subjects, UserMatch,
};
use http::Method;
use ipnet::IpNet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allow,
    Challenge,
    Forbid,
}

/// The winning rule's index, and the outcome.
pub(crate) fn decide(
    rules: &[Rule],
    case: CaseRule,
    method: &Method,
    raw: &str,
    caller: &AccessSubject,
) -> (Option<usize>, Outcome) {
    let path = segments(raw);
    let winner = (0..rules.len())
        .filter_map(|index| Some((specificity(&rules[index], case, method, &path)?, index)))
        .max()
        .map(|(_, index)| index);
    (
        winner,
        winner.map_or(Outcome::Forbid, |index| {
            answer(&rules[index], &path, caller)
        }),
    )
}

/// Whether two of the rules would be equally specific for some request.
pub(crate) fn tie(rules: &[Rule], case: CaseRule) -> bool {
    let shape = |rule: &Rule| -> Vec<String> {
        let texts = segments(rule.pattern.source()).into_iter();
        texts
            .map(|text| {
                if text.starts_with('{') {
                    "*".to_owned()
                } else {
                    fold(&text, case)
                }
            })
            .collect()
    };
    let methods = |one: &Methods, other: &Methods| match (one, other) {
        (Methods::All, Methods::All) => true,
        (Methods::Only(one), Methods::Only(other)) => {
            one.iter().any(|method| other.contains(method))
        }
        (Methods::All, Methods::Only(_)) | (Methods::Only(_), Methods::All) => false,
    };
    let pairs = (0..rules.len())
        .flat_map(|second| (0..second).map(move |first| (&rules[first], &rules[second])));
    pairs
        .into_iter()
        .any(|(one, other)| shape(one) == shape(other) && methods(&one.methods, &other.methods))
}

/// The segments of the small alphabet, decoded.
fn segments(raw: &str) -> Vec<String> {
    let decoded = |text: &str| text.replace("%61", "a").replace("%2c", ",");
    raw.split('/')
        .filter(|text| !text.is_empty())
        .map(decoded)
        .collect()
}

fn fold(text: &str, case: CaseRule) -> String {
    match case {
        CaseRule::Sensitive => text.to_owned(),
        CaseRule::Insensitive => text.to_lowercase(),
    }
}

/// The greater, the more specific; `None` where the rule does not cover the request. One digit a segment
/// (4 literal, 3 parameter, 2 the end, 1 `**`), then one for the method.
fn specificity(
    rule: &Rule,
    case: CaseRule,
    method: &Method,
    path: &[String],
) -> Option<(Vec<u8>, u8)> {
    let mut digits = Vec::new();
    let pattern = segments(rule.pattern.source());
    let mut open = false;
    for (position, text) in pattern.iter().enumerate() {
        match text.as_str() {
            "**" => {
                open = true;
                digits.push(1);
            }
            text if text == "*" || text.starts_with('{') => {
                path.get(position)?;
                digits.push(3);
            }
            text if fold(text, case) == fold(path.get(position)?, case) => digits.push(4),
            _ => return None,
        }
    }
    if !open {
        digits.push(2);
    }
    (open || pattern.len() == path.len()).then_some(())?;
    Some((digits, naming(&rule.methods, method)?))
}

fn naming(methods: &Methods, method: &Method) -> Option<u8> {
    match methods {
        Methods::All => Some(0),
        Methods::Only(methods) if methods.contains(method) => Some(2),
        Methods::Only(methods) if method == Method::HEAD && methods.contains(&Method::GET) => {
            Some(1)
        }
        Methods::Only(_) => None,
    }
}

fn answer(rule: &Rule, path: &[String], caller: &AccessSubject) -> Outcome {
    let identity = caller.identity().map(|identity| &**identity);
    let conditions = match (&rule.requirement, identity) {
        (Requirement::Anyone, _) | (Requirement::Authenticated, Some(_)) => return Outcome::Allow,
        (Requirement::Authenticated, None) => return Outcome::Challenge,
        (Requirement::Nobody, _) => return Outcome::Forbid,
        (Requirement::AnyOf(conditions), _) => conditions,
    };
    let pattern = segments(rule.pattern.source());
    let request = Request {
        pattern: &pattern,
        path,
        address: caller.address().known(),
    };
    let signed_in = caller.authentication();
    let fulfils = |one: &Condition| request.fulfils(one, identity, signed_in);
    if conditions.iter().any(fulfils) {
        return Outcome::Allow;
    }
    let best = Authentication::SignedIn {
        age: Some(Duration::ZERO),
        second_factor: true,
    };
    let steps_up = matches!(signed_in, Authentication::SignedIn { .. })
        && conditions
            .iter()
            .any(|one| request.fulfils(one, identity, best));
    let helped = identity.is_none() && conditions.iter().any(|one| request.is_mendable(one, best));
    if steps_up || helped {
        Outcome::Challenge
    } else {
        Outcome::Forbid
    }
}

struct Request<'a> {
    pattern: &'a [String],
    path: &'a [String],
    address: Option<IpAddr>,
}

impl Request<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        let position = self
            .pattern
            .iter()
            .position(|text| *text == format!("{{{name}}}"))?;
        Some(&self.path[position])
    }

    /// Whether the condition has entries, and all of them hold.
    fn fulfils(&self, one: &Condition, who: Option<&Identity>, signed_in: Authentication) -> bool {
        let roles = one
            .roles
            .iter()
            .map(|demand| who.is_some_and(|who| has_roles(who, demand)));
        let user = one
            .user
            .iter()
            .map(|user| who.is_some_and(|who| self.is_user(who, user)));
        let network = (!one.networks.is_empty()).then(|| self.is_in(&one.networks));
        let claims = one
            .claims
            .iter()
            .map(|claim| who.is_some_and(|who| self.has_claim(who, claim)));
        let shown = match signed_in {
            Authentication::SignedIn { second_factor, .. } => second_factor,
            Authentication::WithoutSignIn => false,
        };
        let second = one.sign_in.second_factor.then_some(shown);
        let recent = one.sign_in.max_age.map(|max_age| match signed_in {
            Authentication::SignedIn { age: Some(age), .. } => age <= max_age,
            Authentication::SignedIn { age: None, .. } | Authentication::WithoutSignIn => false,
        });
        let of_sign_in = second.into_iter().chain(recent);
        let entries = roles.chain(user).chain(network).chain(claims);
        let entries: Vec<bool> = entries.chain(of_sign_in).collect();
        !entries.is_empty() && !entries.contains(&false)
    }

    fn is_user(&self, who: &Identity, user: &UserMatch) -> bool {
        if who.subjects == Subjects::Foreign {
            return false;
        }
        match user {
            UserMatch::OneOf(users) => users.contains(&who.subject),
            UserMatch::Parameter(name) => self.parameter(name) == Some(&who.subject),
        }
    }

    fn has_claim(&self, who: &Identity, claim: &ClaimMatch) -> bool {
        let held = who
            .claims
            .iter()
            .filter(|held| held.name == claim.name)
            .flat_map(|held| held.values.clone());
        let mut held = held.collect::<Vec<_>>().into_iter();
        held.any(|value| match (&claim.expected, value) {
            (Expected::Value(expected), value) => *expected == value,
            (Expected::Parameter(name), ClaimValue::Text(text)) => {
                self.parameter(name) == Some(&text)
            }
            (Expected::Parameter(name), ClaimValue::Integer(number)) => {
                self.parameter(name) == Some(&number.to_string())
            }
            (Expected::Parameter(_), ClaimValue::Boolean(_)) => false,
        })
    }

    fn is_in(&self, networks: &[IpNet]) -> bool {
        self.address
            .is_some_and(|address| lies_in(address, networks))
    }

    /// Whether the best of all identities, made to measure, would fulfil the condition from this address.
    fn is_mendable(&self, one: &Condition, best: Authentication) -> bool {
        let mut who = Identity::default();
        let named = one.roles.iter().flat_map(|demand| {
            let (RoleMatch::OneOf(roles) | RoleMatch::All(roles)) = demand;
            roles.iter().cloned()
        });
        who.roles = named.collect();
        who.subject = match &one.user {
            Some(UserMatch::OneOf(users)) => users.first().cloned().unwrap_or_default(),
            Some(UserMatch::Parameter(name)) => self.parameter(name).unwrap_or_default().into(),
            None => "somebody".into(),
        };
        for claim in &one.claims {
            let value = match &claim.expected {
                Expected::Value(value) => Some(value.clone()),
                Expected::Parameter(name) => self
                    .parameter(name)
                    .map(|text| ClaimValue::Text(text.into())),
            };
            who.claims.push(Claim {
                name: claim.name.clone(),
                values: value.into_iter().collect(),
            });
        }
        self.fulfils(one, Some(&who), best)
    }
}

fn has_roles(who: &Identity, demand: &RoleMatch) -> bool {
    match demand {
        RoleMatch::OneOf(roles) => roles.iter().any(|role| who.roles.contains(role)),
        RoleMatch::All(roles) => {
            !roles.is_empty() && roles.iter().all(|role| who.roles.contains(role))
        }
    }
}

/// Everything as IPv6, IPv4 in its mapped form.
fn lies_in(address: IpAddr, networks: &[IpNet]) -> bool {
    let widen = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    };
    networks.iter().any(|net| {
        let length = if net.addr().is_ipv4() {
            net.prefix_len() + 96
        } else {
            net.prefix_len()
        };
        let shift = 128 - u32::from(length);
        widen(address) >> shift == widen(net.addr()) >> shift
    })
}
