//! What changes beside the rules: users, and settings that have a say in what rules see.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use ipnet::IpNet;

use super::credentials;
use super::people::Everybody;
use super::rates;
use super::weight::Weight;
use crate::access::{PathOptions, Requirement};
use crate::config::{Config, Service};
use crate::users::User;

/// One such change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) weight: Weight,
    /// What it is about: ``user `carl` ``.
    pub(super) about: String,
    /// What changed.
    pub(super) what: String,
}

impl Notice {
    pub(super) fn is_opening(&self) -> bool {
        self.weight == Weight::Opens
    }

    pub(super) fn is_closing(&self) -> bool {
        self.weight == Weight::Closes
    }
}

/// All of them, opening ones first. `renamed` gives the old name of a service by its new one.
pub(super) fn notices(
    old: &Config,
    new: &Config,
    everybody: &Everybody,
    renamed: &HashMap<&str, &str>,
) -> Vec<Notice> {
    let mut notices = services(old, new, renamed);
    notices.extend(proxies(old, new));
    notices.extend(cookie(old, new));
    for person in &everybody.people {
        let (before, after) = (
            old.directory.find(&person.name),
            new.directory.find(&person.name),
        );
        user(
            &person.name,
            before.map(|user| &**user),
            after.map(|user| &**user),
            &mut notices,
        );
    }
    notices.sort_by_key(|notice| notice.weight);
    notices
}

fn services(old: &Config, new: &Config, renamed: &HashMap<&str, &str>) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut note = |weight, service: &Service, what: String| {
        notices.push(Notice {
            weight,
            about: format!("service `{}`", service.name),
            what,
        });
    };
    for service in &new.services {
        let name = renamed
            .get(service.name.as_str())
            .copied()
            .unwrap_or(&service.name);
        let Some(before) = old.services.iter().find(|one| one.name == name) else {
            note(Weight::Says, service, "is new".to_owned());
            continue;
        };
        if before.name != service.name {
            note(
                Weight::Says,
                service,
                format!("was called `{}`", before.name),
            );
        }
        for what in rates::changes(before, service) {
            note(Weight::Says, service, what);
        }
        for (weight, what) in credentials::changes(before, service) {
            let admits = match weight {
                Weight::Opens => admits_somebody(service),
                Weight::Closes | Weight::Says => admits_somebody(before),
            };
            note(if admits { weight } else { Weight::Says }, service, what);
        }
        for (key, was, is) in options(before.paths, service.paths) {
            let weight = match (was, is) {
                (false, true) if admits_somebody(service) => Weight::Opens,
                (true, false) if admits_somebody(before) => Weight::Closes,
                (true | false, true | false) => Weight::Says,
            };
            let what = if is {
                "forwards paths that it refused before"
            } else {
                "refuses paths that it forwarded before"
            };
            note(weight, service, format!("{what}: `{key}: {is}`"));
        }
    }
    let gone = old.services.iter().filter(|service| {
        let lives_on = |name: &str| name == service.name;
        !new.services
            .iter()
            .any(|one| lives_on(renamed.get(one.name.as_str()).copied().unwrap_or(&one.name)))
    });
    gone.for_each(|service| note(Weight::Says, service, "is gone".to_owned()));
    notices
}

/// The path options that differ.
fn options(old: PathOptions, new: PathOptions) -> impl Iterator<Item = (&'static str, bool, bool)> {
    [
        (
            "allow_encoded_slash",
            old.allow_encoded_slash,
            new.allow_encoded_slash,
        ),
        (
            "allow_encoded_reserved",
            old.allow_encoded_reserved,
            new.allow_encoded_reserved,
        ),
        ("allow_semicolon", old.allow_semicolon, new.allow_semicolon),
        ("merge_slashes", old.merge_slashes, new.merge_slashes),
    ]
    .into_iter()
    .filter(|(_, was, is)| was != is)
}

fn admits_somebody(service: &Service) -> bool {
    service
        .policy
        .rules()
        .iter()
        .any(|rule| rule.requirement != Requirement::Nobody)
}

/// Who may say what a client's address is decides over every rule that asks for networks.
fn proxies(old: &Config, new: &Config) -> Vec<Notice> {
    let (before, after) = (&old.server.trusted_proxies, &new.server.trusted_proxies);
    let only_in = |here: &[IpNet], there: &[IpNet]| -> Vec<String> {
        let is_in = |one: &&IpNet| there.iter().any(|network| network.contains(*one));
        here.iter()
            .filter(|one| !is_in(one))
            .map(|network| format!("`{network}`"))
            .collect()
    };
    let mut notices = Vec::new();
    let mut note = |weight, networks: Vec<String>, what: &str| {
        if !networks.is_empty() {
            let about = "`server.trusted_proxies`".to_owned();
            notices.push(Notice {
                weight,
                about,
                what: format!("{} {what}", networks.join(", ")),
            });
        }
    };
    let opens = if asks_for_networks(new) {
        Weight::Opens
    } else {
        Weight::Says
    };
    note(
        opens,
        only_in(after, before),
        "may say now what a client's address is",
    );
    let closes = if asks_for_networks(old) {
        Weight::Closes
    } else {
        Weight::Says
    };
    note(
        closes,
        only_in(before, after),
        "may no longer say what a client's address is",
    );
    if old.server.forwarded != new.server.forwarded && !after.is_empty() {
        notices.push(Notice {
            weight: opens,
            about: "`server.forwarded`".to_owned(),
            what: "other fields state now what a client's address is".to_owned(),
        });
    }
    notices
}

/// Browsers keep the session cookie under the name that it had, and send it to whatever is behind the gateway.
fn cookie(old: &Config, new: &Config) -> Option<Notice> {
    let (before, after) = (&old.auth.session.cookie, &new.auth.session.cookie);
    let forgotten = before.forgotten_by(after)?;
    let what = format!(
        "services get the sessions that browsers keep under `{forgotten}`, unless `former_cookies` names it"
    );
    Some(Notice {
        weight: Weight::Says,
        about: "`auth.session.cookie`".to_owned(),
        what,
    })
}

fn asks_for_networks(config: &Config) -> bool {
    config
        .services
        .iter()
        .flat_map(|service| service.policy.rules())
        .any(|rule| match &rule.requirement {
            Requirement::AnyOf(conditions) => conditions
                .iter()
                .any(|condition| !condition.networks.is_empty()),
            Requirement::Anyone | Requirement::Authenticated | Requirement::Nobody => false,
        })
}

fn user(name: &str, before: Option<&User>, after: Option<&User>, notices: &mut Vec<Notice>) {
    let mut note = |weight, what: String| {
        notices.push(Notice {
            weight,
            about: format!("user `{name}`"),
            what,
        });
    };
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(after)) => {
            return note(
                Weight::Says,
                format!("is new, with {}", roles_text(&after.identity.roles)),
            );
        }
        (Some(_), None) => return note(Weight::Says, "is gone".to_owned()),
        (None, None) => return,
    };
    match (before.extras().disabled, after.extras().disabled) {
        (false, true) => note(Weight::Says, "is disabled".to_owned()),
        (true, false) => note(Weight::Says, "is enabled".to_owned()),
        (true, true) | (false, false) => {}
    }
    for (roles, others, what) in [
        (
            &after.identity.roles,
            &before.identity.roles,
            "has got the role",
        ),
        (
            &before.identity.roles,
            &after.identity.roles,
            "has lost the role",
        ),
    ] {
        for role in roles.iter().filter(|role| !others.contains(role)) {
            note(Weight::Says, format!("{what} `{role}`"));
        }
    }
    if before.identity.claims != after.identity.claims {
        note(Weight::Says, "has other claims".to_owned());
    }
    proofs(before, after, &mut note);
}

/// Of somebody who cannot sign in, no credential counts.
fn proofs(before: &User, after: &User, note: &mut impl FnMut(Weight, String)) {
    if before.extras().disabled || after.extras().disabled {
        return;
    }
    match (before.password.is_some(), after.password.is_some()) {
        (false, true) => note(
            Weight::Opens,
            "has a password now and can log in".to_owned(),
        ),
        (true, false) => note(
            Weight::Closes,
            "has no password any more and cannot log in".to_owned(),
        ),
        (true, true) | (false, false) => {}
    }
    match (
        before.extras().tokens_valid_after,
        after.extras().tokens_valid_after,
    ) {
        (None, Some(now)) => note(
            Weight::Closes,
            format!("tokens from before {} are refused", time(now)),
        ),
        (Some(then), None) => note(
            Weight::Opens,
            format!("tokens from before {} count again", time(then)),
        ),
        (Some(then), Some(now)) if now > then => {
            note(
                Weight::Closes,
                format!("tokens from before {} are refused", time(now)),
            );
        }
        (Some(then), Some(now)) if now < then => {
            note(
                Weight::Opens,
                format!("tokens from {} to {} count again", time(now), time(then)),
            );
        }
        (Some(_) | None, Some(_) | None) => {}
    }
}

fn roles_text(roles: &[Box<str>]) -> String {
    match roles {
        [] => "no roles".to_owned(),
        [one] => format!("role `{one}`"),
        many => format!(
            "roles {}",
            many.iter()
                .map(|role| format!("`{role}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

fn time(second: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second)).to_string()
}
