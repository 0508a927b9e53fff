//! The stable names of problems.

use std::fmt;

/// What kind of problem it is; printed in kebab-case and never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A file cannot be read.
    UnreadableFile,
    /// The text is not YAML.
    YamlSyntax,
    /// YAML, but of a kind that the configuration does without: anchors, tags, merge keys, several documents.
    YamlFeature,
    /// Nested too deeply.
    TooDeep,
    /// The same key twice in one map.
    DuplicateKey,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that is required.
    MissingKey,
    /// A list where a string belongs, and so on.
    WrongType,
    /// A key or value of a later version.
    NotAvailable,
    /// A variable without a value.
    UnsetVariable,
    /// `${` without a name or an end.
    MalformedVariable,
    /// A line of `.env` that is not `KEY=VALUE`.
    MalformedEnvironment,
    /// A value given in two spellings, such as `secret` and `secret_file`.
    TwoSpellings,
    /// A value that cannot be read as what it should be.
    InvalidValue,
    /// A value outside the sensible range.
    OutOfRange,
    /// A list or map that must hold something.
    EmptyValue,
    /// A path pattern that is not one.
    InvalidPattern,
    /// A path that belongs to the gateway's own endpoints.
    ReservedPath,
    /// Two rules of which neither is more specific.
    TiedRules,
    /// Two services that claim the same host and path.
    OverlappingServices,
    /// A path parameter that the pattern does not have.
    UnknownParameter,
    /// A path parameter inside a longer text.
    PartialParameter,
    /// A password hash that cannot be checked.
    InvalidHash,
    /// A secret that could be guessed.
    WeakSecret,
    /// No secret is configured.
    NoSecret,
    /// There is no users file.
    NoUsers,
    /// A service without rules.
    NoRules,
    /// Hashes that are quick to try.
    WeakHash,
    /// Path checks that are switched off.
    LoosePaths,
    /// A method that a wider rule decides.
    MethodFallThrough,
    /// A rule that no request can reach.
    UnreachableRule,
    /// Everybody is a trusted proxy.
    TrustsEveryone,
    /// A session cookie that is sent where it should not be.
    LooseCookie,
    /// A page that cannot be filled in.
    InvalidTemplate,
}

impl Code {
    /// The name that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableFile => "unreadable-file",
            Self::YamlSyntax => "yaml-syntax",
            Self::YamlFeature => "yaml-feature",
            Self::TooDeep => "too-deep",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::NotAvailable => "not-available",
            Self::UnsetVariable => "unset-variable",
            Self::MalformedVariable => "malformed-variable",
            Self::MalformedEnvironment => "malformed-environment",
            Self::TwoSpellings => "two-spellings",
            Self::InvalidValue => "invalid-value",
            Self::OutOfRange => "out-of-range",
            Self::EmptyValue => "empty-value",
            Self::InvalidPattern => "invalid-pattern",
            Self::ReservedPath => "reserved-path",
            Self::TiedRules => "tied-rules",
            Self::OverlappingServices => "overlapping-services",
            Self::UnknownParameter => "unknown-parameter",
            Self::PartialParameter => "partial-parameter",
            Self::InvalidHash => "invalid-hash",
            Self::WeakSecret => "weak-secret",
            Self::NoSecret => "no-secret",
            Self::NoUsers => "no-users",
            Self::NoRules => "no-rules",
            Self::WeakHash => "weak-hash",
            Self::LoosePaths => "loose-paths",
            Self::MethodFallThrough => "method-fall-through",
            Self::UnreachableRule => "unreachable-rule",
            Self::TrustsEveryone => "trusts-everyone",
            Self::LooseCookie => "loose-cookie",
            Self::InvalidTemplate => "invalid-template",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
