//! Rules and users held against each other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::iter;

use crate::access::{Condition, Expected, Identity, Requirement, RoleMatch, UserMatch};
use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::places::Places;
use crate::config::settings::Config;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::oidc::{RoleMapping, UsersMode};
use crate::users::User;

/// How many users are named; a list of them all would be as long as the users file.
const SHOWN: usize = 10;

/// To measure each role against each other one takes too long where there are many.
const COMPARED: usize = 1000;

/// Roles that nobody has, and users to whom signing in opens nothing. `users` are the places of the users' names, by the
/// users' numbers.
pub(in crate::config) fn people(
    config: &Config,
    places: &[Places],
    users: &[Span],
) -> Vec<Finding> {
    // Without users there is one thing to say, and that is said elsewhere.
    if config.directory.is_empty() {
        return Vec::new();
    }
    let mut findings = unused_roles(config, places);
    findings.extend(unasked_roles(config, users));
    findings.extend(locked_out(config, users));
    findings.extend(unsayable(config, users));
    findings
}

/// Users whose names HTTP Basic cannot carry (RFC 7617, section 2), where some service accepts it. `client_credentials` may
/// have them in the body.
fn unsayable(config: &Config, users: &[Span]) -> Option<Finding> {
    let mut services = config.services.iter();
    if !services.any(|service| service.credentials.basic) {
        return None;
    }
    let numbered = config.directory.users().enumerate();
    let mut found: Vec<(Span, &str)> = numbered
        .filter(|(_, user)| !user.extras().disabled && user.identity.subject.contains(':'))
        .filter_map(|(number, user)| Some((*users.get(number)?, &*user.identity.subject)))
        .collect();
    found.sort_unstable();
    let (span, first) = *found.first()?;
    let others = match found.len() - 1 {
        0 => String::new(),
        1 => "; one more user has such a name".to_owned(),
        more => format!("; {more} more users have such names"),
    };
    let message = format!(
        "the name `{}` has a colon, and HTTP Basic ends it there{others}",
        shown(first)
    );
    let help = "use a name without a colon, or let the user send a token";
    Some(Finding::warning(Code::ColonInName, span, message).help(help))
}

fn conditions(config: &Config) -> impl Iterator<Item = &Condition> {
    config
        .services
        .iter()
        .flat_map(|service| service.policy.rules())
        .flat_map(|rule| match &rule.requirement {
            Requirement::AnyOf(conditions) => conditions.as_slice(),
            Requirement::Anyone | Requirement::Authenticated | Requirement::Nobody => &[],
        })
}

/// Each role once, at the first rule that names it.
fn unused_roles(config: &Config, places: &[Places]) -> Vec<Finding> {
    // what other issuers say of roles is not known here, nor what groups a provider or a directory has
    let mut given: Vec<&str> = Vec::new();
    for provider in &config.auth.providers {
        match &provider.roles {
            RoleMapping::Groups if provider.users == UsersMode::Any => return Vec::new(),
            RoleMapping::Groups => {}
            RoleMapping::Table(table) => given.extend(table.values().flatten().map(|role| &**role)),
        }
    }
    if let Some(ldap) = &config.auth.ldap {
        match ldap.roles.given() {
            None => return Vec::new(),
            Some(roles) => given.extend(roles),
        }
    }
    if !config.auth.issuers.is_empty() {
        return Vec::new();
    }
    let held = config
        .directory
        .users()
        .flat_map(|user| identities(user))
        .flat_map(|identity| identity.roles.iter());
    let held: HashSet<&str> = held.map(|role| &**role).chain(given).collect();
    let mut said = HashSet::new();
    let mut findings = Vec::new();
    for (service, places) in config.services.iter().zip(places) {
        for (rule, span) in service.policy.rules().iter().zip(&places.rules) {
            let Requirement::AnyOf(conditions) = &rule.requirement else {
                continue;
            };
            let unused = conditions
                .iter()
                .flat_map(named_roles)
                .filter(|role| !held.contains(role));
            for role in unused.filter(|role| said.insert(*role)) {
                let message = format!("no user has the role `{}`", shown(role));
                let finding = Finding::warning(Code::UnusedRole, *span, message)
                    .about([*span, places.service]);
                let help = did_you_mean(role, held.iter().copied().take(COMPARED));
                findings.push(
                    finding.help(
                        help.unwrap_or_else(|| "give it to a user, or take it away".to_owned()),
                    ),
                );
            }
        }
    }
    findings
}

/// Each role that no rule names, but for one of nearly the same name, at the first user who has it. Any other may be for
/// services, or for nobody yet.
fn unasked_roles(config: &Config, users: &[Span]) -> Vec<Finding> {
    let asked: BTreeSet<&str> = conditions(config).flat_map(named_roles).collect();
    let mut unasked: HashMap<&str, (Span, &str)> = HashMap::new();
    for (number, user) in config.directory.users().enumerate() {
        let Some(span) = users.get(number).copied() else {
            continue;
        };
        let roles = identities(user).flat_map(|identity| identity.roles.iter());
        for role in roles.filter(|role| !asked.contains(&***role)) {
            let at = (span, &*user.identity.subject);
            let first = unasked.entry(role).or_insert(at);
            *first = at.min(*first);
        }
    }
    let mut unasked: Vec<_> = unasked.into_iter().collect();
    unasked.sort_unstable_by_key(|(role, at)| (*at, *role));
    let finding = |(role, (span, user)): (&str, (Span, &str))| {
        let meant = did_you_mean(role, asked.iter().copied().take(COMPARED))?;
        let message = format!(
            "no rule asks for the role `{}` of `{}`",
            shown(role),
            shown(user)
        );
        Some(Finding::warning(Code::UnaskedRole, span, message).help(meant))
    };
    let compared = unasked.into_iter().take(COMPARED);
    compared.filter_map(finding).take(SHOWN).collect()
}

/// A user as who logs in, and as each of the API keys.
fn identities(user: &User) -> impl Iterator<Item = &Identity> {
    iter::once(&*user.identity).chain(user.extras().api_keys.iter().map(|key| &*key.identity))
}

fn named_roles(condition: &Condition) -> impl Iterator<Item = &str> {
    condition
        .roles
        .iter()
        .flat_map(roles_of)
        .map(|role| &**role)
}

fn roles_of(demand: &RoleMatch) -> &[Box<str>] {
    match demand {
        RoleMatch::OneOf(roles) | RoleMatch::All(roles) => roles,
    }
}

fn locked_out(config: &Config, users: &[Span]) -> Vec<Finding> {
    let mut asked = config
        .services
        .iter()
        .flat_map(|service| service.policy.rules())
        .map(|rule| &rule.requirement);
    // A service without rules is said to have none; and whoever is signed in gets in somewhere.
    if asked.clone().next().is_none()
        || asked.any(|requirement| *requirement == Requirement::Authenticated)
    {
        return Vec::new();
    }
    let doors = Doors::new(config);
    let locked_out = |user: &User| {
        !user.extras().disabled && !identities(user).any(|identity| doors.admit(identity))
    };
    let outside = config
        .directory
        .users()
        .enumerate()
        .filter(|(_, user)| locked_out(user));
    let mut outside: Vec<(Span, &str)> = outside
        .filter_map(|(number, user)| Some((*users.get(number)?, &*user.identity.subject)))
        .collect();
    outside.sort_unstable();
    let others = outside.len().saturating_sub(SHOWN);
    outside.truncate(SHOWN);
    let more = if others == 0 {
        String::new()
    } else {
        format!(", nor to {others} further ones")
    };
    let last = outside.len();
    let finding = |(index, (span, name)): (usize, (Span, &str))| {
        let more = if index + 1 == last { more.as_str() } else { "" };
        let message = format!(
            "signing in opens nothing to the user `{}`{more}",
            shown(name)
        );
        let help = "give the user a role that a rule asks for, or disable the user";
        Finding::warning(Code::LockedOutUser, span, message).help(help)
    };
    outside.into_iter().enumerate().map(finding).collect()
}

/// The conditions of all rules, by something that each of them needs: a user is held against few of them.
struct Doors<'a> {
    by_user: HashMap<&'a str, Vec<&'a Condition>>,
    by_role: HashMap<&'a str, Vec<&'a Condition>>,
    others: Vec<&'a Condition>,
}

impl<'a> Doors<'a> {
    fn new(config: &'a Config) -> Self {
        let mut holders: HashMap<&str, usize> = HashMap::new();
        for role in config
            .directory
            .users()
            .flat_map(|user| identities(user))
            .flat_map(|identity| identity.roles.iter())
        {
            *holders.entry(role).or_default() += 1;
        }
        let mut doors = Self {
            by_user: HashMap::new(),
            by_role: HashMap::new(),
            others: Vec::new(),
        };
        let mut known = HashSet::new();
        for condition in conditions(config) {
            let alike = (&condition.roles, &condition.user, &condition.claims);
            if known.insert(format!("{alike:?}")) {
                doors.add(condition, &holders);
            }
        }
        doors
    }

    fn add(&mut self, condition: &'a Condition, holders: &HashMap<&str, usize>) {
        let rarity = |role: &str| holders.get(role).copied().unwrap_or(0);
        if let Some(UserMatch::OneOf(users)) = &condition.user {
            for user in users {
                self.by_user.entry(user).or_default().push(condition);
            }
            return;
        }
        let roles: Vec<_> = match condition.roles.first() {
            Some(RoleMatch::OneOf(roles)) => roles.iter().collect(),
            // who lacks the rarest of them fails, and few have it
            Some(RoleMatch::All(roles)) => {
                let rarest = roles.iter().min_by_key(|role| rarity(role));
                rarest.into_iter().collect()
            }
            None => return self.others.push(condition),
        };
        for role in roles {
            self.by_role.entry(role).or_default().push(condition);
        }
    }

    fn admit(&self, identity: &Identity) -> bool {
        let by_user = self.by_user.get(&*identity.subject).into_iter().flatten();
        let by_role = identity
            .roles
            .iter()
            .filter_map(|role| self.by_role.get(&**role))
            .flatten();
        self.others
            .iter()
            .chain(by_role)
            .chain(by_user)
            .any(|condition| may_hold(condition, identity))
    }
}

/// Whether the condition could hold for some path and address. One of `networks` alone admits addresses, not users.
fn may_hold(condition: &Condition, identity: &Identity) -> bool {
    let Condition {
        roles,
        user,
        networks: _,
        claims,
        // whoever can sign in can do so again
        sign_in,
    } = condition;
    let about_the_caller =
        !roles.is_empty() || user.is_some() || !claims.is_empty() || !sign_in.is_empty();
    let has_roles = |demand: &RoleMatch| match demand {
        RoleMatch::OneOf(roles) => roles.iter().any(|role| identity.roles.contains(role)),
        RoleMatch::All(roles) => roles.iter().all(|role| identity.roles.contains(role)),
    };
    let is_user = |user: &UserMatch| match user {
        UserMatch::OneOf(users) => users.contains(&identity.subject),
        UserMatch::Parameter(_) => true,
    };
    let has_claim = |name: &str, expected: &Expected| {
        let held = identity.claims.iter().filter(|claim| *claim.name == *name);
        held.flat_map(|claim| &claim.values)
            .any(|value| match expected {
                Expected::Value(expected) => value == expected,
                Expected::Parameter(_) => true,
            })
    };
    about_the_caller
        && roles.iter().all(has_roles)
        && user.iter().all(is_user)
        && claims
            .iter()
            .all(|claim| has_claim(&claim.name, &claim.expected))
}
