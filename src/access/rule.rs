//! One rule: which requests it covers and what it asks.

use http::Method;

use super::pattern::Pattern;
use super::requirement::Requirement;

/// A rule's position in its service's list, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// One entry of a service's `rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name shown in logs, metrics and messages; by default `METHODS path`.
    pub name: Box<str>,
    /// Which paths it covers.
    pub pattern: Pattern,
    /// Which methods it covers.
    pub methods: Methods,
    /// What it asks of the caller.
    pub requirement: Requirement,
}

/// The methods that a rule covers. `GET` covers `HEAD` as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every method.
    All,
    /// Exactly these, never empty.
    Only(Vec<Method>),
}
