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
    /// A key that is none, or not one for its algorithm.
    InvalidKey,
    /// A key of a published set that is not used because it is broken.
    BrokenKey,
    /// A path of claims whose dots may belong to a name.
    AmbiguousClaim,
    /// Keys that somebody on the way could exchange.
    ExposedKeys,
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
    /// Nobody is a trusted proxy where one is needed.
    TrustsNobody,
    /// A certificate or its key that cannot be used.
    InvalidCertificate,
    /// A certificate that is not valid today.
    ExpiredCertificate,
    /// A wide network is a trusted proxy.
    WideProxies,
    /// A rule that other rules beat for every request it covers.
    ShadowedRule,
    /// A rule that other rules beat for a method that it names.
    ShadowedMethod,
    /// A rule for anyone in a tree that asks for more.
    PublicUnderProtected,
    /// A rule for a path that asks less than, or something else as, the rule for the tree below it.
    SurprisingOverlap,
    /// A path asks for more than what lies under it.
    UnguardedSubtree,
    /// A rule lets a WebDAV method act on a tree in which another rule asks for more.
    RecursiveMethod,
    /// A role that no user has.
    UnusedRole,
    /// A user whom no rule admits.
    LockedOutUser,
    /// The same secret in two places.
    SharedSecret,
    /// A secret in a configuration that is likely to be shared.
    InlineSecret,
    /// Hashes that take different times.
    MixedCosts,
    /// The admin listener is open to others than this machine.
    OpenAdmin,
    /// Denials that are only reported.
    ReportOnly,
    /// A server that does not answer; looked for by `check --probe` only.
    UnreachableUpstream,
    /// An issuer whose keys cannot be had; looked for by `check --probe` only.
    UnreachableKeys,
    /// A lint is allowed where it has nothing to say.
    PointlessAllow,
    /// One of the `tests` does not hold.
    FailedTest,
    /// A user that is not on the list.
    UnknownUser,
    /// A session cookie that is sent where it should not be.
    LooseCookie,
    /// A page that cannot be filled in.
    InvalidTemplate,
}

impl Code {
    /// The name that is printed.
    #[allow(clippy::too_many_lines, reason = "a table with a line a code")]
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
            Self::InvalidKey => "invalid-key",
            Self::BrokenKey => "broken-key",
            Self::AmbiguousClaim => "ambiguous-claim",
            Self::ExposedKeys => "exposed-keys",
            Self::WeakSecret => "weak-secret",
            Self::NoSecret => "no-secret",
            Self::NoUsers => "no-users",
            Self::NoRules => "no-rules",
            Self::WeakHash => "weak-hash",
            Self::LoosePaths => "loose-paths",
            Self::MethodFallThrough => "method-fall-through",
            Self::UnreachableRule => "unreachable-rule",
            Self::TrustsEveryone => "trusts-everyone",
            Self::TrustsNobody => "trusts-nobody",
            Self::InvalidCertificate => "invalid-certificate",
            Self::ExpiredCertificate => "expired-certificate",
            Self::WideProxies => "wide-proxies",
            Self::ShadowedRule => "shadowed-rule",
            Self::ShadowedMethod => "shadowed-method",
            Self::PublicUnderProtected => "public-under-protected",
            Self::SurprisingOverlap => "surprising-overlap",
            Self::UnguardedSubtree => "unguarded-subtree",
            Self::RecursiveMethod => "recursive-method",
            Self::UnusedRole => "unused-role",
            Self::LockedOutUser => "locked-out-user",
            Self::SharedSecret => "shared-secret",
            Self::InlineSecret => "inline-secret",
            Self::MixedCosts => "mixed-costs",
            Self::OpenAdmin => "open-admin",
            Self::ReportOnly => "report-only",
            Self::UnreachableUpstream => "unreachable-upstream",
            Self::UnreachableKeys => "unreachable-keys",
            Self::PointlessAllow => "pointless-allow",
            Self::FailedTest => "failed-test",
            Self::UnknownUser => "unknown-user",
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
