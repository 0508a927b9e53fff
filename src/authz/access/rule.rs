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
    /// Whether its denials are carried out; the service's mode where the rule says nothing.
    pub mode: Mode,
}

/// Whether denials are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A denied request is refused.
    #[default]
    Enforce,
    /// A denied request is forwarded all the same, logged and counted: for trying rules out.
    Report,
}

impl Mode {
    /// Its name, as a configuration has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }
}

/// The methods that a rule covers. `GET` covers `HEAD` as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every method.
    All,
    /// Exactly these, never empty.
    Only(Vec<Method>),
}
