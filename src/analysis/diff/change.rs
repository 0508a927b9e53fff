//! What the comparison reports.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use http::Method;
use ipnet::IpNet;

use super::super::spelling::spell;
use super::super::view::DecisionSource;
use super::super::words::value_in_words;
use crate::access::{AuthenticationDemand, ClaimValue};

/// A set of requests whose outcome changes in the same way.
#[derive(Clone, Debug)]
pub struct PolicyChange {
    /// The direction of the change.
    pub effect: ChangeEffect,
    /// The methods; never empty.
    pub methods: Vec<MethodClass>,
    /// The paths; never empty. None of them covers another.
    pub paths: Vec<PathClass>,
    /// The hosts; never empty.
    pub hosts: BTreeSet<HostClass>,
    /// The callers; never empty. None of them is a special case of another.
    pub callers: Vec<CallerClass>,
    /// The users among them, by index in the list of users. Where a segment of the path stands for a name or a claim,
    /// the path decides who else is among them. Empty where there are too many kinds of users to compare.
    pub affected: Vec<usize>,
    /// What decides in the old configuration.
    pub before: DecisionSource,
    /// What decides in the new configuration.
    pub after: DecisionSource,
    /// An example of such a request.
    pub witness: ChangeWitness,
}

/// The direction of a change, ordered by how much it needs a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeEffect {
    /// The requests were refused and are forwarded now.
    Opens,
    /// The requests are forwarded as before, but to another service, or to another path of it: the callers reach what
    /// they did not reach before.
    Moves,
    /// The requests were forwarded and are refused now.
    Closes,
}

/// A class of methods that no rule distinguishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodClass {
    /// One name.
    Named(Method),
    /// All methods that no rule of either configuration names.
    Other,
}

/// A class of hosts that no service distinguishes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostClass {
    /// One name.
    Exact(Box<str>),
    /// All hosts below this one that are not named themselves.
    Below(Box<str>),
    /// All other hosts.
    Other,
}

/// A class of paths that no rule distinguishes, written as a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathClass(pub Vec<PathPiece>);

/// One segment of a path class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPiece {
    /// This text, percent-decoded.
    Literal(Box<str>),
    /// Any one segment.
    Any,
    /// Zero or more segments; only at the end.
    Rest,
}

/// A class of callers that the rules in question do not distinguish, given by the minimum that a member has: callers
/// with further roles or claims belong to it as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerClass {
    /// Their identity.
    pub who: CallerKind,
    /// Their addresses.
    pub from: AddressClass,
}

/// The identity of a class of callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallerKind {
    /// No identity.
    Anonymous,
    /// A verified identity.
    Known {
        /// Its name.
        subject: CallerSubject,
        /// Its roles, at least.
        roles: BTreeSet<Box<str>>,
        /// Its claims, at least.
        claims: BTreeSet<ClaimClass>,
        /// Its sign-in, at least; where nothing is demanded, it may have none.
        sign_in: AuthenticationDemand,
    },
    /// Users whose identities changed between the configurations.
    People {
        /// By index in the list of users; no rule distinguishes them.
        people: Vec<usize>,
        /// The positions (from 0) of path segments that must equal the user's own name.
        own: BTreeSet<usize>,
    },
}

/// The name of a class of callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallerSubject {
    /// Any name.
    Anybody,
    /// This one.
    Named(Box<str>),
    /// The name that equals the path segment at this position (from 0).
    Segment(usize),
}

/// A claim of a class of callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimClass {
    /// With this value.
    Value(Box<str>, ClaimValue),
    /// With the value that equals the path segment at this position (from 0).
    Segment(Box<str>, usize),
}

/// A class of client addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Any address.
    Anywhere,
    /// In this network, but in none of the networks inside it that the rules name.
    In(IpNet),
    /// In no network that the rules name.
    Elsewhere,
}

/// A request whose outcome changes.
#[derive(Clone, Debug)]
pub struct ChangeWitness {
    /// The method.
    pub method: Method,
    /// The host.
    pub host: Box<str>,
    /// The path, as a client sends it.
    pub path: String,
    /// The client's address, where it matters.
    pub address: Option<IpAddr>,
}

impl fmt::Display for PathClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|piece| match piece {
            PathPiece::Literal(text) => write!(f, "/{}", spell(text)),
            PathPiece::Any => f.write_str("/*"),
            PathPiece::Rest => f.write_str("/**"),
        })
    }
}

impl fmt::Display for HostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Other => f.write_str("any other host"),
        }
    }
}

impl fmt::Display for MethodClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(method) => f.write_str(method.as_str()),
            Self::Other => f.write_str("any other method"),
        }
    }
}

impl fmt::Display for ClaimClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(name, value) => write!(f, "{name} = {}", value_in_words(value)),
            Self::Segment(name, position) => {
                write!(f, "{name} = segment {} of the path", position + 1)
            }
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere => f.write_str("anywhere"),
            Self::In(network) => write!(f, "{network}"),
            Self::Elsewhere => f.write_str("elsewhere"),
        }
    }
}

impl ChangeEffect {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Moves => "moves",
            Self::Closes => "closes",
        }
    }

    /// Whether a caller reaches what was out of reach before.
    pub fn is_opening(self) -> bool {
        match self {
            Self::Opens | Self::Moves => true,
            Self::Closes => false,
        }
    }
}
