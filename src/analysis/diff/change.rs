//! What the comparison reports.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use http::Method;
use ipnet::IpNet;

use super::super::spelling::spell;
use super::super::view::DecisionSource;
use super::super::words::value_in_words;
use crate::access::ClaimValue;

/// Requests whose outcome changes alike.
#[derive(Clone, Debug)]
pub struct PolicyChange {
    /// In which direction.
    pub effect: ChangeEffect,
    /// Which methods; never empty.
    pub methods: Vec<MethodClass>,
    /// Which paths; never empty. None of them covers another.
    pub paths: Vec<PathClass>,
    /// Which hosts; never empty.
    pub hosts: BTreeSet<HostClass>,
    /// Which callers; never empty. None of them is a special case of another.
    pub callers: Vec<CallerClass>,
    /// The users among them, by their place in the list of people. Where one segment of the path stands for a name or
    /// a claim, it depends on the path who else is; and where there are very many kinds of users, nobody is named.
    pub affected: Vec<usize>,
    /// What decided before.
    pub before: DecisionSource,
    /// What decides now.
    pub after: DecisionSource,
    /// One such request.
    pub witness: ChangeWitness,
}

/// What becomes of the requests. The more a change needs a look, the earlier it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeEffect {
    /// They were refused and are forwarded now.
    Opens,
    /// They are forwarded as before, but to another service, or to another path there: these callers reach what they
    /// did not reach before.
    Moves,
    /// They were forwarded and are refused now.
    Closes,
}

/// Methods that no rule tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodClass {
    /// One that is named.
    Named(Method),
    /// All that no rule of either configuration names.
    Other,
}

/// Hosts that no service tells apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostClass {
    /// One that is named.
    Exact(Box<str>),
    /// Those below this one that are not named themselves.
    Below(Box<str>),
    /// All others.
    Other,
}

/// Paths that no rule tells apart, in the manner of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathClass(pub Vec<PathPiece>);

/// One segment of a path class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPiece {
    /// This text, percent-decoded.
    Literal(Box<str>),
    /// One segment, whatever it is.
    Any,
    /// Zero or more segments; only at the end.
    Rest,
}

/// Callers that the rules in question do not tell apart, told by what is needed to be one: who has more roles or claims
/// is one as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerClass {
    /// Who they are.
    pub who: CallerKind,
    /// Where they call from.
    pub from: AddressClass,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallerKind {
    /// Nobody who is known.
    Anonymous,
    /// Somebody who is known.
    Known {
        /// By which name.
        subject: CallerSubject,
        /// With at least these roles.
        roles: BTreeSet<Box<str>>,
        /// With at least these claims.
        claims: BTreeSet<ClaimClass>,
    },
    /// These users, by their place in the list of people, because of what changed about them.
    People {
        /// All of them are alike.
        people: Vec<usize>,
        /// For paths in which these segments (from 0) are the user's own name only.
        own: BTreeSet<usize>,
    },
}

/// The name of a caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallerSubject {
    /// Any.
    Anybody,
    /// This one.
    Named(Box<str>),
    /// The one that the segment at this position (from 0) spells.
    Segment(usize),
}

/// A claim that a caller has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimClass {
    /// With this value.
    Value(Box<str>, ClaimValue),
    /// With the value that the segment at this position (from 0) spells.
    Segment(Box<str>, usize),
}

/// Where a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Anywhere.
    Anywhere,
    /// In this network, but in none of the smaller ones that the rules name.
    In(IpNet),
    /// In no network that the rules name.
    Elsewhere,
}

/// A request that changes.
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

    /// Whether somebody reaches what was out of reach before.
    pub fn is_opening(self) -> bool {
        match self {
            Self::Opens | Self::Moves => true,
            Self::Closes => false,
        }
    }
}
