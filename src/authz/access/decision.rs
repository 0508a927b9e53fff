//! What the policy answers.

use std::fmt;
use std::sync::Arc;

use super::authentication::AuthenticationDemand;
use super::identity::Identity;
use super::path::RequestPath;
use super::requested_paths::DecidedPath;
use super::rule::RuleId;

/// The answer to one request. It is no right to forward it: that is a [`Permit`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// This rule allows it.
    Allow(RuleId),
    /// Ask for a (better) credential: 401.
    Challenge(Challenge),
    /// Refuse: 403.
    Forbid(Forbid),
}

impl Decision {
    /// Says of a denial that it is about the `Destination`.
    pub(super) fn about_destination(self) -> Self {
        let about = DecidedPath::Destination;
        match self {
            Self::Allow(rule) => Self::Allow(rule),
            Self::Challenge(challenge) => Self::Challenge(Challenge { about, ..challenge }),
            Self::Forbid(forbid) => Self::Forbid(Forbid { about, ..forbid }),
        }
    }
}

/// A decision that does not allow the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyDenial {
    /// 401.
    Challenge(Challenge),
    /// 403.
    Forbid(Forbid),
}

impl PolicyDenial {
    /// The rule that denies; `None` where no rule covers the request.
    pub fn rule(&self) -> Option<RuleId> {
        match self {
            Self::Challenge(challenge) => Some(challenge.rule),
            Self::Forbid(forbid) => forbid.rule,
        }
    }
}

/// The right to forward exactly one path, with exactly one `Destination` or none, for exactly one caller. Only
/// [`super::Policy::enforce`] makes one, and forwarding consumes it.
#[derive(Debug)]
pub struct Permit<'a> {
    path: &'a RequestPath,
    destination: Option<&'a RequestPath>,
    identity: Option<&'a Arc<Identity>>,
    rule: Option<RuleId>,
    /// Boxed: few permits have one.
    reported: Option<Box<PolicyDenial>>,
}

impl<'a> Permit<'a> {
    pub(super) fn new(
        path: &'a RequestPath,
        identity: Option<&'a Arc<Identity>>,
        rule: Option<RuleId>,
    ) -> Self {
        Self {
            path,
            destination: None,
            identity,
            rule,
            reported: None,
        }
    }

    /// For a request that is denied, where the denial is only reported.
    pub(super) fn reported(
        path: &'a RequestPath,
        identity: Option<&'a Arc<Identity>>,
        denial: PolicyDenial,
    ) -> Self {
        Self {
            rule: denial.rule(),
            reported: Some(Box::new(denial)),
            ..Self::new(path, identity, None)
        }
    }

    /// This right, and that to name the other's path as the `Destination`. A reported denial of either is reported, the
    /// first one where both are.
    pub(super) fn with_destination(self, other: Self) -> Self {
        let reported_now = self.reported.is_none() && other.reported.is_some();
        Self {
            destination: Some(other.path),
            rule: if reported_now { other.rule } else { self.rule },
            reported: self.reported.or(other.reported),
            ..self
        }
    }

    /// The path that was decided on, and the only one to forward.
    pub fn path(&self) -> &'a RequestPath {
        self.path
    }

    /// The path of the `Destination` that was decided on as well, and the only one to forward.
    pub fn destination(&self) -> Option<&'a RequestPath> {
        self.destination
    }

    /// Whom the identity headers name; `None` for an anonymous caller on a public route.
    pub fn identity(&self) -> Option<&'a Arc<Identity>> {
        self.identity
    }

    /// The rule that decided; `None` where none covers the request, and that is only reported.
    pub fn rule(&self) -> Option<RuleId> {
        self.rule
    }

    /// The denial that is only reported; `None` where the request is allowed.
    pub fn denial(&self) -> Option<&PolicyDenial> {
        self.reported.as_deref()
    }
}

/// Why a caller is asked to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The rule that asks for it.
    pub rule: RuleId,
    /// Why what was sent is not enough.
    pub reason: ChallengeReason,
    /// Which path asks for it.
    pub about: DecidedPath,
}

impl Challenge {
    /// One about the request's own path.
    pub(super) fn of(rule: RuleId, reason: ChallengeReason) -> Self {
        Self {
            rule,
            reason,
            about: DecidedPath::Target,
        }
    }
}

/// What is wrong with the credential of a caller who is asked to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeReason {
    /// There is none. A sign-in that meets this could be enough.
    Absent(AuthenticationDemand),
    /// It does not hold. A sign-in that meets this could be enough.
    Rejected(AuthenticationDemand),
    /// It holds, and the sign-in that it came from is not enough: this would be (RFC 9470).
    SignIn(AuthenticationDemand),
}

/// Why a caller is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbid {
    /// The rule that refuses; `None` where no rule covers the request.
    pub rule: Option<RuleId>,
    /// What was missing.
    pub reason: ForbidReason,
    /// For which path.
    pub about: DecidedPath,
}

/// The reason of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForbidReason {
    /// No rule covers the request.
    NoRule,
    /// The rule admits `nobody`.
    Nobody,
    /// In every alternative roles, and nothing else, were missing.
    Roles(MissingRoles),
    /// This sign-in, and nothing else, was missing: the caller is identified by something else, such as an API key.
    SignIn(AuthenticationDemand),
    /// Other conditions failed, with or without roles.
    Condition,
}

/// Which roles would have been enough, each once, in the order of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingRoles {
    /// One of these.
    OneOf(Vec<Box<str>>),
    /// All of these.
    All(Vec<Box<str>>),
}

/// The text for the client: what would be enough, where a credential was good and is not.
impl fmt::Display for ChallengeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(_) => f.write_str("Not authenticated"),
            Self::Rejected(_) => f.write_str("Invalid or expired token"),
            Self::SignIn(demand) => write!(f, "Requires {demand}"),
        }
    }
}

/// The text for the client, which says where it is the `Destination` that is refused.
impl fmt::Display for Forbid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        match self.about {
            DecidedPath::Target => Ok(()),
            DecidedPath::Destination => f.write_str(" (`Destination`)"),
        }
    }
}

/// The text for the client. It names the roles or the sign-in that is missing, and nothing else of the rules.
impl fmt::Display for ForbidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule | Self::Nobody | Self::Condition => f.write_str("Access denied"),
            Self::Roles(missing) => write!(f, "Access denied. {missing}"),
            Self::SignIn(demand) => write!(f, "Access denied. Requires {demand}"),
        }
    }
}

impl fmt::Display for MissingRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(roles) => write!(f, "Requires role: {}", roles.join(" or ")),
            Self::All(roles) if roles.len() == 1 => write!(f, "Requires role: {}", roles[0]),
            Self::All(roles) => write!(f, "Requires roles: {}", roles.join(" and ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_missing_roles_or_the_missing_sign_in_only() {
        let second_factor = AuthenticationDemand {
            second_factor: true,
            max_age: None,
        };
        let roles = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        for (reason, expected) in [
            (ForbidReason::NoRule, "Access denied"),
            (ForbidReason::Nobody, "Access denied"),
            (ForbidReason::Condition, "Access denied"),
            (
                ForbidReason::SignIn(second_factor),
                "Access denied. Requires a sign-in with a second factor",
            ),
            (
                ForbidReason::Roles(MissingRoles::OneOf(roles(&["a"]))),
                "Access denied. Requires role: a",
            ),
            (
                ForbidReason::Roles(MissingRoles::OneOf(roles(&["a", "b"]))),
                "Access denied. Requires role: a or b",
            ),
            (
                ForbidReason::Roles(MissingRoles::All(roles(&["a"]))),
                "Access denied. Requires role: a",
            ),
            (
                ForbidReason::Roles(MissingRoles::All(roles(&["a", "b"]))),
                "Access denied. Requires roles: a and b",
            ),
        ] {
            assert_eq!(reason.to_string(), expected);
        }
    }
}
