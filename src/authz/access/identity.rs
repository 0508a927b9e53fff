//! Who a caller is, as far as rules and upstream services care.

use std::sync::Arc;

/// A known user or program. Built from the user list or from a verified token, never from a request header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The token's `sub`; where [`Subjects::Users`] says so, a key of the user list.
    pub subject: Box<str>,
    /// Today's roles, each once. Users with the same roles share one list.
    pub roles: Arc<[Box<str>]>,
    /// The display name, where there is one.
    pub name: Option<Box<str>>,
    /// The mail address, where there is one.
    pub email: Option<Box<str>>,
    /// Further facts that `claims:` conditions compare.
    pub claims: Vec<Claim>,
    /// Whose names the subject is one of.
    pub subjects: Subjects,
    /// The name of the OpenID provider that the person has signed in with; nothing is decided by it.
    pub provider: Option<Box<str>>,
}

/// Whose names a subject is one of. Two issuers may call two people `alice`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Subjects {
    /// Those of the user list.
    #[default]
    Users,
    /// Those of another issuer: no `user` condition is about them.
    Foreign,
}

/// One named fact about an identity, such as `tenant: acme`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The claim's name.
    pub name: Box<str>,
    /// Its values; a claim that is a list holds each element.
    pub values: Vec<ClaimValue>,
}

/// A scalar that a claim holds. Values of different kinds are never equal: `true` is not `"true"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimValue {
    /// A string.
    Text(Box<str>),
    /// A whole number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
}
