//! What is legal and yet worth a second look: each lint with its name and its reason.

mod hosts;
mod overlaps;
mod people;
mod providers;
mod rates;
mod recursion;
mod rules;
mod secrets;
mod service_rules;
mod sign_ins;
mod trust;

use super::code::Code;
use super::finding::Finding;
use super::span::Span;

pub(super) use self::hosts::mounts;
pub(super) use self::people::people;
pub(super) use self::providers::{is_shared_tenant, open_provider, providers};
pub(super) use self::rates::{PlacedRate, Rates};
pub(super) use self::rules::rules;
pub(super) use self::secrets::{Secrets, example, few_bytes, world_readable};
pub(super) use self::service_rules::Rules;
pub(super) use self::sign_ins::sign_ins;
pub(super) use self::trust::{clear_passwords, open_admin, wide_proxies};

/// Every lint and why it is one. `allow_lints` of a rule, of a service or at the top level silences it there.
pub const LINTS: [(Code, &str); 45] = [
    (
        Code::NoSecret,
        "tokens end with the process, and replicas do not accept each other's",
    ),
    (
        Code::WeakSecret,
        "whoever guesses the secret makes tokens for every user and role",
    ),
    (
        Code::SharedSecret,
        "what leaks in one place opens the other",
    ),
    (
        Code::InlineSecret,
        "a configuration is copied, reviewed and kept in version control",
    ),
    (
        Code::BrokenKey,
        "tokens that are signed with the key are refused, here or elsewhere",
    ),
    (
        Code::AmbiguousClaim,
        "what is looked for under other names is not found, and nobody has a role",
    ),
    (
        Code::ExposedKeys,
        "whoever is on the way to another issuer's keys puts others in their place",
    ),
    (
        Code::OpenProvider,
        "anybody can open an account with the provider, and is signed in",
    ),
    (
        Code::SharedSubjects,
        "whoever gets the name of somebody else with the other provider passes for that person",
    ),
    (
        Code::NoAuthorizationServer,
        "a client that is told to ask the gateway for a token finds no way to have somebody sign in",
    ),
    (
        Code::NoOpenidScope,
        "the provider says nothing about who has signed in",
    ),
    (
        Code::LooseCookie,
        "whoever has the session cookie is signed in",
    ),
    (Code::NoUsers, "nobody can log in"),
    (
        Code::WeakHash,
        "passwords behind a cheap hash are found within hours once the file leaks",
    ),
    (
        Code::MixedCosts,
        "every refused login does the work of the costliest hash, so that its time tells no names",
    ),
    (
        Code::LockedOutUser,
        "the user can log in, and then nothing is allowed",
    ),
    (
        Code::UnusedRole,
        "a rule waits for a role that nobody has, often a misspelled one",
    ),
    (
        Code::UnaskedRole,
        "a user has a misspelled role: rules ask for one of nearly the same name",
    ),
    (
        Code::UnreadAttribute,
        "what another program knew of a user is in no token and no header",
    ),
    (
        Code::WorldReadable,
        "every user of the machine reads password hashes or secrets; looked for by `check` only",
    ),
    (Code::NoRules, "the service forwards nothing"),
    (
        Code::UnreachableRule,
        "no request ever reaches the rule, so it protects and opens nothing",
    ),
    (
        Code::ShadowedRule,
        "more specific rules decide every request that the rule covers",
    ),
    (
        Code::ShadowedMethod,
        "more specific rules decide every request of one of the rule's methods",
    ),
    (
        Code::MethodFallThrough,
        "a method that a rule leaves out is not refused: a wider rule decides it",
    ),
    (
        Code::PublicUnderProtected,
        "anyone gets in where the tree around the path asks for more",
    ),
    (
        Code::SurprisingOverlap,
        "`/admin` is not what `/admin/**` says: the path itself has a rule of its own",
    ),
    (
        Code::RecursiveMethod,
        "a WebDAV method acts on all that lies below a path, and the rules there are not asked",
    ),
    (
        Code::UnguardedSubtree,
        "a rule for `/admin` says nothing about `/admin/users`",
    ),
    (
        Code::LoosePaths,
        "a path that two servers read differently is how rules are walked around",
    ),
    (
        Code::TrustsEveryone,
        "every client may say what its address is",
    ),
    (
        Code::WideProxies,
        "every machine of a wide network may say what a client's address is",
    ),
    (
        Code::OpenAdmin,
        "health and metrics tell a stranger about services, rules and traffic",
    ),
    (
        Code::ClearPasswords,
        "whoever is on the way reads a password that comes with each request",
    ),
    (
        Code::ColonInName,
        "HTTP Basic ends a user name at its first colon, so nobody can send the name",
    ),
    (
        Code::ReportOnly,
        "requests that the rules deny are forwarded",
    ),
    (
        Code::IdleRate,
        "no request is ever refused for the rate, so it holds nobody back",
    ),
    (
        Code::NoSecondFactor,
        "whoever is asked for a second factor finds no way to show one",
    ),
    (
        Code::IdleMaxAge,
        "the rule lets every session of a browser in, however old it is",
    ),
    (
        Code::IdlePasskeys,
        "people find no way to add a key, or no key that works for the site",
    ),
    (
        Code::UnsharedUsers,
        "a password that one replica writes would be wrong at the others",
    ),
    (
        Code::IdleLimit,
        "a smaller limit of the server refuses what the service is meant to take",
    ),
    (
        Code::NoGroups,
        "no group of the directory is read, so nobody gets a role by one",
    ),
    (
        Code::LooseFilter,
        "the directory finds somebody else than the name that was typed, or groups of others",
    ),
    (
        Code::CrowdedSession,
        "browsers drop a cookie of more than 4 KiB: whoever has all of these roles cannot sign in",
    ),
];

/// What a check costs that is switched off.
pub(super) fn loose_path(key: &str, span: Span) -> Finding {
    let cost = match key {
        "allow_encoded_slash" => {
            "an upstream that decodes `%2F` sees another path than the rules did"
        }
        "allow_encoded_reserved" => {
            "an upstream that decodes `%5C`, `%23`, `%3F` or `%3B` sees another path than the rules did"
        }
        "allow_semicolon" => {
            "an upstream that cuts `;parameters` off sees another path than the rules did"
        }
        _ => "the upstream sees `/` where the client wrote `//`",
    };
    Finding::warning(Code::LoosePaths, span, format!("`{key}`: {cost}"))
        .help("leave it out unless the service needs it, and test how the service reads such paths")
}
