//! Roles that a command gives, held against those that rules name.

use std::collections::BTreeSet;

use anyhow::bail;

use super::store::Store;
use crate::access::{Requirement, RoleMatch};
use crate::cli::printing::say;
use crate::config;

/// A role of a list in an argument, without the blanks around it.
pub(super) fn role(text: &str) -> Result<String, &'static str> {
    let role = text.trim();
    if role.is_empty() {
        return Err("a role has a name; leave `--roles` away for none");
    }
    if role.len() > 255 || role.chars().any(char::is_control) {
        return Err("a role has at most 255 bytes, and no control characters");
    }
    Ok(role.to_owned())
}

/// Refuses a role that is given twice.
pub(super) fn check_distinct(roles: &[String]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    match roles.iter().find(|role| !seen.insert(*role)) {
        Some(role) => bail!("`--roles` has `{role}` twice; write it once"),
        None => Ok(()),
    }
}

/// Says of each role that no rule of the configuration names it; it is given all the same.
/// Where the configuration does not load, or names no roles, there is nothing to hold them against.
pub(super) fn note_unasked_roles(store: &Store, roles: &[String]) -> anyhow::Result<()> {
    let Ok(rehearsal) = config::rehearse(store.request(), None) else {
        return Ok(());
    };
    let rules = rehearsal
        .loaded
        .config
        .services
        .iter()
        .flat_map(|service| service.policy.rules());
    let conditions = rules.flat_map(|rule| match &rule.requirement {
        Requirement::AnyOf(conditions) => conditions.as_slice(),
        Requirement::Anyone | Requirement::Authenticated | Requirement::Nobody => &[],
    });
    let named = conditions
        .flat_map(|condition| &condition.roles)
        .flat_map(|demand| match demand {
            RoleMatch::OneOf(roles) | RoleMatch::All(roles) => roles,
        });
    let named: BTreeSet<&str> = named.map(|role| &**role).collect();
    if named.is_empty() {
        return Ok(());
    }
    for role in roles.iter().filter(|role| !named.contains(role.as_str())) {
        let help = config::did_you_mean(role, named.iter().copied())
            .unwrap_or_else(|| "`gatelatch routes` shows those that they ask for".to_owned());
        say(&format!("note: no rule asks for the role `{role}`; {help}"))?;
    }
    Ok(())
}
