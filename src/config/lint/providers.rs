//! OpenID providers that let in whoever comes, or nobody.

use std::collections::BTreeSet;

use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::places::ProviderPlaces;
use crate::config::sessions::named_roles;
use crate::config::settings::Config;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::oidc::{ProviderSettings, RoleMapping, UsersMode};
use crate::token::{AuthenticationMethods, IssueError, ProviderClaims, SessionId, SignIn};

/// How long the subject, the name and the address of somebody are, in bytes: a UUID, or a mail address.
const SAMPLE_NAME: usize = 36;

/// When somebody signs in: a second of ten digits, as all are until the year 2286.
const SAMPLE_SECOND: u64 = 2_000_000_000;

/// Issuers with which anybody can open an account.
const PUBLIC: [&str; 7] = [
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    "https://www.facebook.com",
    "https://www.linkedin.com/oauth",
    "https://id.twitch.tv/oauth2",
];

/// Whether this is the issuer of all tenants of Entra ID, which no token names.
pub(in crate::config) fn is_shared_tenant(issuer: &str) -> bool {
    let tenant = issuer.strip_prefix("https://login.microsoftonline.com/");
    let tenant = tenant.and_then(|rest| rest.split('/').next());
    tenant.is_some_and(|tenant| ["common", "organizations", "consumers"].contains(&tenant))
}

/// A provider of everybody that everybody may sign in with.
pub(in crate::config) fn open_provider(settings: &ProviderSettings, span: Span) -> Option<Finding> {
    let issuer = settings.issuer.trim_end_matches('/');
    let is_open = PUBLIC.contains(&issuer)
        && settings.allow.is_everybody()
        && settings.users == UsersMode::Any;
    is_open.then(|| {
        let message =
            format!("whoever has an account of `{issuer}` may sign in, and anybody can have one");
        Finding::warning(Code::OpenProvider, span, message)
            .help("write `allow: { email_domains: [example.com] }`, or `users: listed`")
    })
}

/// Roles that no rule asks for but one of nearly the same name, and lists that nobody is on.
pub(in crate::config) fn providers(config: &Config, places: &[ProviderPlaces]) -> Vec<Finding> {
    let asked = named_roles(&config.services);
    let mut findings = shared_subjects(config, places);
    findings.extend(crowded_sessions(config, places));
    findings.extend(no_browsers(config, places));
    for (provider, places) in config.auth.providers.iter().zip(places) {
        let unasked = places
            .roles
            .iter()
            .filter(|(role, _)| !asked.contains(role));
        findings.extend(unasked.filter_map(|(role, span)| {
            let meant = did_you_mean(role, asked.iter().map(|role| &**role))?;
            let message = format!(
                "no rule asks for the role `{}` of the provider `{}`",
                shown(role),
                provider.name
            );
            Some(Finding::warning(Code::UnaskedRole, *span, message).help(meant))
        }));
        if provider.users == UsersMode::Listed && config.directory.is_empty() {
            let message = format!(
                "nobody can sign in with the provider `{}`: the users file has no user",
                provider.name
            );
            let finding =
                Finding::warning(Code::NoUsers, places.users.unwrap_or(places.name), message);
            findings.push(finding.help(
                "list who may, each under the name that `subject` gives, or take `users` away",
            ));
        }
    }
    findings
}

/// Providers whose people may have the names of people of another one.
fn shared_subjects(config: &Config, places: &[ProviderPlaces]) -> Vec<Finding> {
    let providers = config.auth.providers.iter().zip(places);
    let providers = providers.filter(|(provider, _)| provider.users == UsersMode::Any);
    let mut before: Vec<&ProviderSettings> = Vec::new();
    let mut findings = Vec::new();
    for (provider, places) in providers {
        // the same issuer gives a name once
        let is_same = |other: &&&ProviderSettings| {
            (&other.issuer, other.subject) == (&provider.issuer, provider.subject)
        };
        let other = before.iter().find(|other| !is_same(other));
        let other = other.map(|other| format!("the provider `{}`", other.name));
        let other = other.or_else(|| {
            config
                .auth
                .ldap
                .as_ref()
                .map(|_| "the directory".to_owned())
        });
        findings.extend(other.map(|other| {
            let message = format!(
                "somebody of the provider `{}` is the same user as somebody of {other} with the same name, for rules, rates and services",
                provider.name
            );
            Finding::warning(Code::SharedSubjects, places.name, message).help(
                "write `allow_lints: [shared-subjects]` at the top where both give a name to the same person only, or `users: listed`",
            )
        }));
        before.push(provider);
    }
    findings
}

/// Providers whose people have more roles, where they have all of them, than a cookie has room for.
fn crowded_sessions(config: &Config, places: &[ProviderPlaces]) -> Vec<Finding> {
    let providers = config.auth.providers.iter().zip(places);
    let mut providers = providers
        .filter(|(provider, _)| provider.users == UsersMode::Any)
        .peekable();
    if providers.peek().is_none() {
        return Vec::new();
    }
    let named = named_roles(&config.services);
    let sessions = config.auth.cookie_sessions(&config.services);
    let sign_in = SignIn::new(SAMPLE_SECOND, AuthenticationMethods::PASSWORD);
    let crowded = providers.filter_map(|(provider, places)| {
        let roles: Vec<_> = match &provider.roles {
            RoleMapping::Groups => named.iter().cloned().collect(),
            RoleMapping::Table(table) => {
                let given: BTreeSet<_> = table.values().flatten().collect();
                let given = given.into_iter().filter(|role| named.contains(*role));
                given.cloned().collect()
            }
        };
        let count = roles.len();
        let said = ProviderClaims {
            provider: provider.name.as_str().into(),
            fingerprint: ProviderClaims::fingerprint([""; 3]),
            roles,
            name: Some("x".repeat(SAMPLE_NAME).into()),
            email: Some("x".repeat(SAMPLE_NAME).into()),
            checked_at: SAMPLE_SECOND,
            ..ProviderClaims::default()
        };
        let subject = "x".repeat(SAMPLE_NAME);
        let id = SessionId::from_bytes([0; 16]);
        match sessions.begin_with_provider(&subject, id, &said, sign_in, SAMPLE_SECOND) {
            Err(IssueError::TooLarge(bytes)) => {
                Some(crowded_session(provider, places, (count, bytes)))
            }
            Ok(_) | Err(IssueError::Signing) => None,
        }
    });
    crowded.collect()
}

fn crowded_session(
    provider: &ProviderSettings,
    places: &ProviderPlaces,
    (roles, bytes): (usize, usize),
) -> Finding {
    let message = format!(
        "somebody of the provider `{}` with all {roles} roles that rules name cannot sign in: the session would have {bytes} bytes",
        provider.name
    );
    Finding::warning(Code::CrowdedSession, places.name, message).help(
        "have `roles` map several groups to one role, or write `users: listed`: the roles of the list are in no cookie",
    )
}

/// Sign-ins with providers are those of browsers, and come to a session cookie.
fn no_browsers(config: &Config, places: &[ProviderPlaces]) -> Option<Finding> {
    let first = places.first()?;
    let reason = if config.auth.theme.is_none() {
        "`auth.login.page` is `false`"
    } else if config
        .services
        .iter()
        .any(|one| one.credentials.has_cookie())
    {
        return None;
    } else {
        "no service takes the session cookie"
    };
    let message = format!("nobody can sign in with a provider: {reason}");
    let finding = Finding::warning(Code::NoUsers, first.name, message);
    Some(
        finding
            .help("leave `login.page` and `cookie` of `credentials` on, or take `providers` away"),
    )
}
