//! The words of keys that take one of a few: one list for the schema and for the reader.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::access::Mode;
use crate::analysis::simulation::SimulatedVerdict;
use crate::config::proxy_protocol::{ProxiedTls, ProxyMode};
use crate::config::settings::{ChangePassword, LogFormat};
use crate::factors::SecondFactorPolicy;
use crate::oidc::{LogoutMode, SecretMethod, SubjectClaim, UsersMode};
use crate::rates::CountedBy;
use crate::session::AtStart;
use crate::telemetry::traces::TrustContext;
use crate::token::Algorithm;
use crate::upstream::{Balance, HostHeader};
use crate::wire::{
    Authorization, CacheMode, CredentialKind, ForwardAuthHeaders, ForwardedFields, SameSite,
    SecureCookie,
};

/// Words, and what each means.
type Choices<T> = &'static [(&'static str, T)];

pub(in crate::config) const FORWARDED: Choices<ForwardedFields> = &[
    ("auto", ForwardedFields::Auto),
    ("x-forwarded", ForwardedFields::XForwarded),
    ("forwarded", ForwardedFields::Forwarded),
];

pub(in crate::config) const PROXIED_TLS: Choices<ProxiedTls> = &[
    ("auto", ProxiedTls::Auto),
    ("always", ProxiedTls::Always),
    ("never", ProxiedTls::Never),
];

pub(in crate::config) const PROXY_MODE: Choices<ProxyMode> = &[
    ("auto", ProxyMode::Auto),
    ("http", ProxyMode::Http),
    ("tcp", ProxyMode::Tcp),
];

pub(in crate::config) const LOG_FORMATS: Choices<LogFormat> = &[
    ("auto", LogFormat::Auto),
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
];

pub(in crate::config) const LOG_LEVELS: Choices<tracing::Level> = &[
    ("error", tracing::Level::ERROR),
    ("warn", tracing::Level::WARN),
    ("info", tracing::Level::INFO),
    ("debug", tracing::Level::DEBUG),
    ("trace", tracing::Level::TRACE),
];

pub(in crate::config) const TRUST_CONTEXT: Choices<TrustContext> = &[
    ("proxies", TrustContext::Proxies),
    ("any", TrustContext::Any),
];

pub(in crate::config) const SAME_SITE: Choices<SameSite> = &[
    ("lax", SameSite::Lax),
    ("strict", SameSite::Strict),
    ("none", SameSite::None),
];

pub(in crate::config) const SECURE: Choices<SecureCookie> = &[
    ("auto", SecureCookie::Auto),
    ("true", SecureCookie::Always),
    ("false", SecureCookie::Never),
];

pub(in crate::config) const CHANGE_PASSWORD: Choices<ChangePassword> = &[
    ("true", ChangePassword::On),
    ("false", ChangePassword::Off),
    ("shared", ChangePassword::Shared),
];

pub(in crate::config) const SECOND_FACTOR: Choices<SecondFactorPolicy> = &[
    ("off", SecondFactorPolicy::Off),
    ("optional", SecondFactorPolicy::Optional),
    ("required", SecondFactorPolicy::Required),
];

pub(in crate::config) const VERIFY: Choices<ForwardAuthHeaders> = &[
    ("x-forwarded", ForwardAuthHeaders::Forwarded),
    ("x-original", ForwardAuthHeaders::Original),
];

pub(in crate::config) const SUBJECT_CLAIM: Choices<SubjectClaim> = &[
    ("sub", SubjectClaim::Sub),
    ("preferred_username", SubjectClaim::PreferredUsername),
    ("email", SubjectClaim::Email),
];

pub(in crate::config) const USERS_MODE: Choices<UsersMode> =
    &[("any", UsersMode::Any), ("listed", UsersMode::Listed)];

pub(in crate::config) const LOGOUT_MODE: Choices<LogoutMode> = &[
    ("local", LogoutMode::Local),
    ("provider", LogoutMode::Provider),
];

pub(in crate::config) const SECRET_METHOD: Choices<SecretMethod> = &[
    ("client_secret_basic", SecretMethod::Basic),
    ("client_secret_post", SecretMethod::Post),
];

pub(in crate::config) const MODES: Choices<Mode> =
    &[("enforce", Mode::Enforce), ("report", Mode::Report)];

pub(in crate::config) const COUNTED_BY: Choices<CountedBy> = &[
    ("user", CountedBy::User),
    ("address", CountedBy::Address),
    ("service", CountedBy::Service),
];

pub(in crate::config) const AT_START: Choices<AtStart> =
    &[("wait", AtStart::Wait), ("serve", AtStart::Serve)];

pub(in crate::config) const CACHE: Choices<CacheMode> =
    &[("private", CacheMode::Private), ("pass", CacheMode::Pass)];

pub(in crate::config) const CREDENTIALS: Choices<CredentialKind> = &[
    ("bearer", CredentialKind::Bearer),
    ("cookie", CredentialKind::Cookie),
    ("basic", CredentialKind::Basic),
];

pub(in crate::config) const AUTHORIZATION: Choices<Authorization> = &[
    ("remove", Authorization::Remove),
    ("forward", Authorization::Forward),
];

pub(in crate::config) const BALANCE: Choices<Balance> = &[
    ("round_robin", Balance::RoundRobin),
    ("least_connections", Balance::LeastConnections),
    ("hash_client", Balance::HashClient),
];

pub(in crate::config) const HOST: Choices<HostHeader> = &[
    ("preserve", HostHeader::Preserve),
    ("upstream", HostHeader::Upstream),
];

pub(in crate::config) const VERDICTS: Choices<SimulatedVerdict> = &SimulatedVerdict::ALL;

/// What `allow` may be without a condition.
pub(in crate::config) const ALLOW_WORDS: [&str; 3] = ["anyone", "authenticated", "nobody"];

/// The most keys that are kept for old tokens: a token without a `kid` is tried with each of its algorithm.
pub(in crate::config) const MAX_PREVIOUS_KEYS: usize = 16;

/// How long tokens that are accepted may live.
pub(in crate::config) const LIFETIMES: RangeInclusive<Duration> =
    RangeInclusive::new(Duration::from_secs(1), Duration::from_secs(365 * 24 * 3600));

/// How far clocks may differ.
pub(in crate::config) const LEEWAYS: RangeInclusive<Duration> =
    RangeInclusive::new(Duration::ZERO, Duration::from_secs(600));

/// How often a provider or a directory may be asked again.
pub(in crate::config) const REFRESHES: RangeInclusive<Duration> =
    RangeInclusive::new(Duration::from_secs(1), Duration::from_secs(30 * 24 * 3600));

/// The words alone.
pub(super) fn words<T>(choices: Choices<T>) -> Vec<&'static str> {
    choices.iter().map(|(word, _)| *word).collect()
}

/// The names of all algorithms.
pub(super) fn algorithms() -> Vec<&'static str> {
    Algorithm::ALL.map(Algorithm::name).to_vec()
}

/// The names of those that sign with a private key.
pub(super) fn key_pair_algorithms() -> Vec<&'static str> {
    let pairs = Algorithm::ALL.into_iter().filter(|one| !one.is_symmetric());
    pairs.map(Algorithm::name).collect()
}
