//! OpenID providers that let in whoever comes, or nobody.

use crate::access::{Requirement, RoleMatch};
use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::places::ProviderPlaces;
use crate::config::settings::Config;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::oidc::{ProviderSettings, UsersMode};

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
    let asked = asked_roles(config);
    let mut findings = shared_subjects(config, places);
    findings.extend(no_browsers(config, places));
    for (provider, places) in config.auth.providers.iter().zip(places) {
        let unasked = places
            .roles
            .iter()
            .filter(|(role, _)| !asked.contains(&&**role));
        findings.extend(unasked.filter_map(|(role, span)| {
            let meant = did_you_mean(role, asked.iter().copied())?;
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

fn asked_roles(config: &Config) -> Vec<&str> {
    let rules = config
        .services
        .iter()
        .flat_map(|service| service.policy.rules());
    let conditions = rules.flat_map(|rule| match &rule.requirement {
        Requirement::AnyOf(conditions) => conditions.as_slice(),
        Requirement::Anyone | Requirement::Authenticated | Requirement::Nobody => &[],
    });
    let roles = conditions.flat_map(|condition| &condition.roles);
    let names = roles.flat_map(|demand| match demand {
        RoleMatch::OneOf(roles) | RoleMatch::All(roles) => roles,
    });
    names.map(|role| &**role).collect()
}
