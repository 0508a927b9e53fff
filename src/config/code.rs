//! The stable names of problems.

use std::fmt;

/// Declares the enum and the name of each kind beside each other.
macro_rules! codes {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// What kind of problem it is; printed in kebab-case and never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])+ $kind,)+
        }

        impl Code {
            /// The name that is printed.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

codes! {
    /// A file cannot be read.
    UnreadableFile = "unreadable-file",
    /// The text is not YAML.
    YamlSyntax = "yaml-syntax",
    /// YAML, but of a kind that the configuration does without: anchors, tags, merge keys, several documents.
    YamlFeature = "yaml-feature",
    /// Nested too deeply.
    TooDeep = "too-deep",
    /// The same key twice in one map.
    DuplicateKey = "duplicate-key",
    /// A key that means nothing here.
    UnknownKey = "unknown-key",
    /// A key that is required.
    MissingKey = "missing-key",
    /// A list where a string belongs, and so on.
    WrongType = "wrong-type",
    /// A variable without a value.
    UnsetVariable = "unset-variable",
    /// `${` without a name or an end.
    MalformedVariable = "malformed-variable",
    /// A line of `.env` that is not `KEY=VALUE`.
    MalformedEnvironment = "malformed-environment",
    /// A value given in two spellings, such as `secret` and `secret_file`.
    TwoSpellings = "two-spellings",
    /// A value that cannot be read as what it should be.
    InvalidValue = "invalid-value",
    /// A value outside the sensible range.
    OutOfRange = "out-of-range",
    /// A list or map that must hold something.
    EmptyValue = "empty-value",
    /// A path pattern that is not one.
    InvalidPattern = "invalid-pattern",
    /// A path that belongs to the gateway's own endpoints.
    ReservedPath = "reserved-path",
    /// Two rules of which neither is more specific.
    TiedRules = "tied-rules",
    /// Two services that claim the same host and path.
    OverlappingServices = "overlapping-services",
    /// A path parameter that the pattern does not have.
    UnknownParameter = "unknown-parameter",
    /// A path parameter inside a longer text.
    PartialParameter = "partial-parameter",
    /// A password hash that cannot be checked.
    InvalidHash = "invalid-hash",
    /// A secret of an authenticator app that is none.
    InvalidSecret = "invalid-secret",
    /// A key that is none, or not one for its algorithm.
    InvalidKey = "invalid-key",
    /// A key of a published set that is not used because it is broken.
    BrokenKey = "broken-key",
    /// A path of claims whose dots may belong to a name.
    AmbiguousClaim = "ambiguous-claim",
    /// Keys that somebody on the way could exchange.
    ExposedKeys = "exposed-keys",
    /// A provider of everybody that everybody may sign in with.
    OpenProvider = "open-provider",
    /// Equal names of two providers are one user.
    SharedSubjects = "shared-subjects",
    /// Clients are sent to the gateway to have somebody sign in, where they cannot.
    NoAuthorizationServer = "no-authorization-server",
    /// A provider that is not asked who has signed in.
    NoOpenidScope = "no-openid-scope",
    /// A secret that could be guessed.
    WeakSecret = "weak-secret",
    /// No secret is configured.
    NoSecret = "no-secret",
    /// There is no users file.
    NoUsers = "no-users",
    /// A service without rules.
    NoRules = "no-rules",
    /// Hashes that are quick to try.
    WeakHash = "weak-hash",
    /// Path checks that are switched off.
    LoosePaths = "loose-paths",
    /// A method that a wider rule decides.
    MethodFallThrough = "method-fall-through",
    /// A rule that no request can reach.
    UnreachableRule = "unreachable-rule",
    /// Everybody is a trusted proxy.
    TrustsEveryone = "trusts-everyone",
    /// Nobody is a trusted proxy where one is needed.
    TrustsNobody = "trusts-nobody",
    /// A certificate or its key that cannot be used.
    InvalidCertificate = "invalid-certificate",
    /// A certificate that is not valid today.
    ExpiredCertificate = "expired-certificate",
    /// A wide network is a trusted proxy.
    WideProxies = "wide-proxies",
    /// A rule that other rules beat for every request it covers.
    ShadowedRule = "shadowed-rule",
    /// A rule that other rules beat for a method that it names.
    ShadowedMethod = "shadowed-method",
    /// A rule for anyone in a tree that asks for more.
    PublicUnderProtected = "public-under-protected",
    /// A rule for a path that asks less than, or something else as, the rule for the tree below it.
    SurprisingOverlap = "surprising-overlap",
    /// A path asks for more than what lies under it.
    UnguardedSubtree = "unguarded-subtree",
    /// A rule lets a WebDAV method act on a tree in which another rule asks for more.
    RecursiveMethod = "recursive-method",
    /// A role that no user has.
    UnusedRole = "unused-role",
    /// A user to whom signing in opens nothing.
    LockedOutUser = "locked-out-user",
    /// The same secret in two places.
    SharedSecret = "shared-secret",
    /// A secret in a configuration that is likely to be shared.
    InlineSecret = "inline-secret",
    /// Hashes that take different times.
    MixedCosts = "mixed-costs",
    /// The admin listener is open to others than this machine.
    OpenAdmin = "open-admin",
    /// Passwords with each request, on a listener without TLS.
    ClearPasswords = "clear-passwords",
    /// A user name that HTTP Basic cannot carry.
    ColonInName = "colon-in-name",
    /// Denials that are only reported.
    ReportOnly = "report-only",
    /// A rate that never refuses a request.
    IdleRate = "idle-rate",
    /// A demand for a second factor that nobody can show.
    NoSecondFactor = "no-second-factor",
    /// A demand on the age of a sign-in that every session meets.
    IdleMaxAge = "idle-max-age",
    /// Passkeys that nobody can have.
    IdlePasskeys = "idle-passkeys",
    /// Passwords that people cannot change, for want of a user list that all replicas share.
    UnsharedUsers = "unshared-users",
    /// A limit that another one is below.
    IdleLimit = "idle-limit",
    /// Roles by groups where no groups are looked for.
    NoGroups = "no-groups",
    /// A filter of the directory whose placeholder does not choose what is found.
    LooseFilter = "loose-filter",
    /// People of a provider whose roles may not fit into a session.
    CrowdedSession = "crowded-session",
    /// The state store does not answer; looked for by `check --probe` only.
    UnreachableState = "unreachable-state",
    /// A server that does not answer; looked for by `check --probe` only.
    UnreachableUpstream = "unreachable-upstream",
    /// An issuer whose keys cannot be had; looked for by `check --probe` only.
    UnreachableKeys = "unreachable-keys",
    /// A directory that cannot be used; looked for by `check --probe` only.
    UnreachableDirectory = "unreachable-directory",
    /// A provider that people could not sign in with; looked for by `check --probe` only.
    UnreachableProvider = "unreachable-provider",
    /// A lint is allowed where it has nothing to say.
    PointlessAllow = "pointless-allow",
    /// One of the `tests` does not hold.
    FailedTest = "failed-test",
    /// A user that is not on the list.
    UnknownUser = "unknown-user",
    /// A user's role that no rule names, but for one of nearly the same name.
    UnaskedRole = "unasked-role",
    /// An attribute of another program's user list that is not read.
    UnreadAttribute = "unread-attribute",
    /// A file with secrets that every user of the machine can read.
    WorldReadable = "world-readable",
    /// A session cookie that is sent where it should not be.
    LooseCookie = "loose-cookie",
    /// A page that cannot be filled in.
    InvalidTemplate = "invalid-template",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
