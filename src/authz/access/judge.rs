//! Whether a caller fulfils what a rule asks.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::authentication::{Authentication, AuthenticationDemand};
use super::decision::{ForbidReason, MissingRoles};
use super::identity::{ClaimValue, Identity, Subjects};
use super::path::RequestPath;
use super::requirement::{ClaimMatch, Condition, Expected, Requirement, RoleMatch, UserMatch};
use super::rule::Rule;
use super::subject::AccessSubject;

/// The verdict of a rule on a subject.
#[derive(Debug)]
pub(super) enum RuleVerdict {
    Allow,
    /// The caller is asked to sign in, in a way that meets this: less would not be enough for anybody.
    Challenge(AuthenticationDemand),
    /// The caller is asked to sign in again, or with a second factor.
    StepUp(AuthenticationDemand),
    Forbid(ForbidReason),
}

/// What the conditions of a rule are compared with: the path, and the caller's identity and address.
#[derive(Clone, Copy)]
pub(crate) struct EvaluationContext<'a> {
    rule: &'a Rule,
    path: &'a RequestPath,
    address: Option<IpAddr>,
    identity: Option<&'a Identity>,
    authentication: Authentication,
}

/// The verdict of the rule on the subject. `path` is one that the rule's pattern covers.
pub(super) fn judge(rule: &Rule, path: &RequestPath, subject: &AccessSubject) -> RuleVerdict {
    let facts = EvaluationContext::new(rule, path, subject);
    match (&rule.requirement, facts.identity) {
        (Requirement::Anyone, _) | (Requirement::Authenticated, Some(_)) => RuleVerdict::Allow,
        (Requirement::Authenticated, None) => {
            RuleVerdict::Challenge(AuthenticationDemand::default())
        }
        (Requirement::Nobody, _) => RuleVerdict::Forbid(ForbidReason::Nobody),
        (Requirement::AnyOf(conditions), _) if conditions.iter().any(|one| facts.fulfil(one)) => {
            RuleVerdict::Allow
        }
        (Requirement::AnyOf(conditions), Some(_)) => facts.denial(conditions),
        (Requirement::AnyOf(conditions), None) => match facts.possible_sign_in(conditions) {
            Some(demand) => RuleVerdict::Challenge(demand),
            None => RuleVerdict::Forbid(ForbidReason::Condition),
        },
    }
}

impl<'a> EvaluationContext<'a> {
    /// `path` is one that the rule's pattern covers.
    pub(crate) fn new(rule: &'a Rule, path: &'a RequestPath, subject: &'a AccessSubject) -> Self {
        Self {
            rule,
            path,
            address: subject.address().known(),
            identity: subject.identity().map(|identity| &**identity),
            authentication: subject.authentication(),
        }
    }

    /// The verified identity, if there is one.
    pub(crate) fn identity(self) -> Option<&'a Identity> {
        self.identity
    }

    /// The client's address, if it is known.
    pub(crate) fn address(self) -> Option<IpAddr> {
        self.address
    }

    /// When and how the caller has signed in.
    pub(crate) fn authentication(self) -> Authentication {
        self.authentication
    }

    fn fulfil(self, condition: &Condition) -> bool {
        condition.sign_in.is_met_by(self.authentication) && self.fulfil_but_sign_in(condition)
    }

    /// Whether everything but `second_factor` and `max_age` holds.
    fn fulfil_but_sign_in(self, condition: &Condition) -> bool {
        !condition.is_empty()
            && condition.roles.iter().all(|demand| self.has_roles(demand))
            && self.fulfil_traits(condition)
    }

    /// Whether everything but `roles` holds.
    fn fulfil_but_roles(self, condition: &Condition) -> bool {
        condition.sign_in.is_met_by(self.authentication) && self.fulfil_traits(condition)
    }

    /// Whether the user, the address and the claims are those of the condition.
    fn fulfil_traits(self, condition: &Condition) -> bool {
        condition.user.iter().all(|user| self.is_user(user))
            && self.is_in(&condition.networks)
            && condition.claims.iter().all(|claim| self.has_claim(claim))
    }

    /// Whether some identity, sent from the same address for the same path, would fulfil it.
    fn could_fulfil(self, condition: &Condition) -> bool {
        let role_exists = |demand: &RoleMatch| match demand {
            RoleMatch::OneOf(roles) | RoleMatch::All(roles) => !roles.is_empty(),
        };
        let user_exists = |user: &UserMatch| match user {
            UserMatch::OneOf(users) => !users.is_empty(),
            UserMatch::Parameter(name) => self.parameter(name).is_some(),
        };
        let value_exists = |claim: &ClaimMatch| match &claim.expected {
            Expected::Value(_) => true,
            Expected::Parameter(name) => self.parameter(name).is_some(),
        };
        !condition.is_empty()
            && self.is_in(&condition.networks)
            && condition.roles.iter().all(role_exists)
            && condition.user.iter().all(user_exists)
            && condition.claims.iter().all(value_exists)
    }

    /// Whether the identity has the roles.
    pub(crate) fn has_roles(self, demand: &RoleMatch) -> bool {
        let Some(identity) = self.identity else {
            return false;
        };
        match demand {
            RoleMatch::OneOf(roles) => roles.iter().any(|role| identity.roles.contains(role)),
            // A demand for no role at all is a mistake, and must not open anything.
            RoleMatch::All(roles) => {
                !roles.is_empty() && roles.iter().all(|role| identity.roles.contains(role))
            }
        }
    }

    /// Whether the identity is the user; never for a subject of another issuer.
    pub(crate) fn is_user(self, user: &UserMatch) -> bool {
        let Some(identity) = self
            .identity
            .filter(|identity| identity.subjects == Subjects::Users)
        else {
            return false;
        };
        match user {
            UserMatch::OneOf(users) => users.contains(&identity.subject),
            UserMatch::Parameter(name) => self
                .parameter(name)
                .is_some_and(|value| *value == *identity.subject),
        }
    }

    /// Whether the client's address lies in one of the networks, or none is asked for.
    pub(crate) fn is_in(self, networks: &[IpNet]) -> bool {
        networks.is_empty()
            || self
                .address
                .is_some_and(|address| networks.iter().any(|net| lies_in(address, net)))
    }

    /// Whether one of the claim's values equals the expected one.
    pub(crate) fn has_claim(self, claim: &ClaimMatch) -> bool {
        let Some(identity) = self.identity else {
            return false;
        };
        let mut values = identity
            .claims
            .iter()
            .filter(|held| held.name == claim.name)
            .flat_map(|held| &held.values);
        match &claim.expected {
            Expected::Value(expected) => values.any(|value| value == expected),
            Expected::Parameter(name) => self
                .parameter(name)
                .is_some_and(|expected| values.any(|value| is_written(value, &expected))),
        }
    }

    /// The decoded value of a path parameter; `None` where the pattern has none of this name.
    pub(crate) fn parameter(self, name: &str) -> Option<Cow<'a, str>> {
        self.path.segment(self.rule.pattern.position(name)?)
    }

    /// What a known caller is told who fails all of these.
    fn denial(self, conditions: &[Condition]) -> RuleVerdict {
        match (self.missing_sign_in(conditions), self.authentication) {
            (None, _) => RuleVerdict::Forbid(self.refusal(conditions)),
            (Some(demand), Authentication::SignedIn { .. }) => RuleVerdict::StepUp(demand),
            // nobody is there to sign in: another attempt would be refused as well
            (Some(demand), Authentication::WithoutSignIn) => {
                RuleVerdict::Forbid(ForbidReason::SignIn(demand))
            }
        }
    }

    /// The sign-in for want of which alone a condition fails: of several, that which takes the least.
    fn missing_sign_in(self, conditions: &[Condition]) -> Option<AuthenticationDemand> {
        let failing = conditions.iter().filter(|one| self.fulfil_but_sign_in(one));
        failing
            .map(|one| one.sign_in)
            .min_by_key(|demand| demand.effort(self.authentication))
    }

    /// The sign-in that could be enough for one of these, whoever it is of: of several, that which takes the least.
    fn possible_sign_in(self, conditions: &[Condition]) -> Option<AuthenticationDemand> {
        let possible = conditions.iter().filter(|one| self.could_fulfil(one));
        possible
            .map(|one| one.sign_in)
            .min_by_key(|demand| demand.effort(self.authentication))
    }

    /// Why a known caller fails all of these.
    fn refusal(self, conditions: &[Condition]) -> ForbidReason {
        let missing: Option<Vec<&RoleMatch>> = conditions
            .iter()
            .map(|one| self.missing_roles(one))
            .collect();
        missing
            .and_then(|missing| unite(&missing))
            .map_or(ForbidReason::Condition, ForbidReason::Roles)
    }

    /// The role demand for want of which alone the condition fails; `None` where it fails otherwise as well.
    fn missing_roles(self, condition: &Condition) -> Option<&RoleMatch> {
        let mut failed = condition
            .roles
            .iter()
            .filter(|demand| !self.has_roles(demand));
        match (failed.next(), failed.next()) {
            (Some(demand), None) if self.fulfil_but_roles(condition) => Some(demand),
            _ => None,
        }
    }
}

/// What would have been enough: one role of any of the demands, or all of the only one.
fn unite(missing: &[&RoleMatch]) -> Option<MissingRoles> {
    if let [RoleMatch::All(roles)] = missing
        && !roles.is_empty()
    {
        return Some(MissingRoles::All(distinct(roles)));
    }
    let mut union = Vec::new();
    for demand in missing {
        match demand {
            RoleMatch::OneOf(roles) => union.extend_from_slice(roles),
            RoleMatch::All(_) => return None,
        }
    }
    if union.is_empty() {
        None
    } else {
        Some(MissingRoles::OneOf(distinct(&union)))
    }
}

fn distinct(roles: &[Box<str>]) -> Vec<Box<str>> {
    let mut distinct: Vec<Box<str>> = Vec::with_capacity(roles.len());
    for role in roles {
        if !distinct.contains(role) {
            distinct.push(role.clone());
        }
    }
    distinct
}

/// Whether the address lies in the network. An IPv4 address is the same in its IPv6 clothes (`::ffff:192.0.2.1`), on
/// either side; `::/0` holds IPv6 only.
pub fn lies_in(address: IpAddr, network: &IpNet) -> bool {
    match (address.to_canonical(), network) {
        (IpAddr::V4(v4), IpNet::V6(net)) if is_mapped(net.addr()) && net.prefix_len() >= 96 => {
            net.contains(&v4.to_ipv6_mapped())
        }
        (canonical, net) => net.contains(&canonical),
    }
}

fn is_mapped(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().is_some()
}

/// Whether a path parameter spells this claim: a string as it is, a number in decimal without leading zeros.
fn is_written(value: &ClaimValue, text: &str) -> bool {
    match value {
        ClaimValue::Text(value) => **value == *text,
        ClaimValue::Integer(value) => {
            let canonical = text == "0" || !text.starts_with(['0', '+']) && !text.starts_with("-0");
            canonical && text.parse() == Ok(*value)
        }
        ClaimValue::Boolean(_) => false,
    }
}
