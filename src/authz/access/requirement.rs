//! What a rule asks of a caller: the `allow` of the configuration.

use ipnet::IpNet;

use super::authentication::AuthenticationDemand;

/// The `allow` of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Everybody, known or not.
    Anyone,
    /// Every known identity.
    Authenticated,
    /// No one.
    Nobody,
    /// Callers for whom at least one of these holds.
    AnyOf(Vec<Condition>),
}

impl Requirement {
    /// Its conditions; none where it is a single word.
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::AnyOf(conditions) => conditions,
            Self::Anyone | Self::Authenticated | Self::Nobody => &[],
        }
    }
}

/// A map of the `allow` grammar: everything that is given must hold. All fields empty holds for no one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `roles` and `all_roles`.
    pub roles: Vec<RoleMatch>,
    /// `user` and `users`.
    pub user: Option<UserMatch>,
    /// `networks`: the client's address lies in one of these; empty: not asked.
    pub networks: Vec<IpNet>,
    /// `claims`: each must be equal.
    pub claims: Vec<ClaimMatch>,
    /// `second_factor` and `max_age`.
    pub sign_in: AuthenticationDemand,
}

impl Condition {
    /// Whether no field is set; such a condition holds for no one.
    pub fn is_empty(&self) -> bool {
        let Self {
            roles,
            user,
            networks,
            claims,
            sign_in,
        } = self;
        roles.is_empty()
            && user.is_none()
            && networks.is_empty()
            && claims.is_empty()
            && sign_in.is_empty()
    }
}

/// A demand on the identity's roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleMatch {
    /// `roles`: the identity has one of these.
    OneOf(Vec<Box<str>>),
    /// `all_roles`: the identity has each of these.
    All(Vec<Box<str>>),
}

impl RoleMatch {
    /// The roles that it names.
    pub fn roles(&self) -> &[Box<str>] {
        match self {
            Self::OneOf(roles) | Self::All(roles) => roles,
        }
    }
}

/// A demand on the identity's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserMatch {
    /// `users: [..]` or `user: alice`: the subject is one of these.
    OneOf(Vec<Box<str>>),
    /// `user: "{id}"`: the subject equals the percent-decoded path parameter of this name.
    Parameter(Box<str>),
}

/// `claims: { tenant: "{tenant}" }`: one of the claim's values equals the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMatch {
    /// The claim's name.
    pub name: Box<str>,
    /// What it must equal.
    pub expected: Expected,
}

/// The right-hand side of a claim comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A literal of the same kind.
    Value(super::identity::ClaimValue),
    /// The percent-decoded path parameter of this name; an integer claim is compared in decimal.
    Parameter(Box<str>),
}
