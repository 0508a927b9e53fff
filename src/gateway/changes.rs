//! What the audit stream is told of another configuration: which rules and which users are other ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::snapshot::Snapshot;
use crate::access::Rule;
use crate::analysis::{in_words, methods_in_words};
use crate::rates::Rate;
use crate::telemetry::audit::{Audit, AuditOutcome, AuditRecord};
use crate::users::User;

/// The most rules, and the most rates, that one record lists.
const MOST_RULES: usize = 100;

/// Records what another configuration changes. It waits for nobody: where the stream is full, the next change is applied
/// all the same.
pub fn audit_changes(audit: &Arc<Audit>, old: &Snapshot, new: &Snapshot, time: SystemTime) {
    let record = |event| AuditRecord::new(time, event, AuditOutcome::Success);
    if let Some(rules) = changed_rules(old, new, record("rules_changed")) {
        audit.write(&rules);
    }
    let mut names: Vec<&str> = new
        .directory
        .users()
        .map(|user| &*user.identity.subject)
        .collect();
    names.extend(old.directory.users().map(|user| &*user.identity.subject));
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (before, after) = (old.directory.find(name), new.directory.find(name));
        for changed in changed_user(name, before, after, record) {
            audit.write(&changed);
        }
    }
}

/// `None` where no rule is another one. Rules are told apart by service and name.
fn changed_rules(old: &Snapshot, new: &Snapshot, record: AuditRecord) -> Option<AuditRecord> {
    let (before, after) = (rules_of(old), rules_of(new));
    let mut listed: Vec<Value> = Vec::new();
    let mut counts = [0_usize; 3];
    for (key, rule) in &after {
        match before.get(key) {
            None => note(&mut listed, &mut counts[0], || {
                change("added", key, None, Some(rule))
            }),
            Some(former) if former == rule => {}
            Some(former) => note(&mut listed, &mut counts[2], || {
                change("changed", key, Some(former), Some(rule))
            }),
        }
    }
    for (key, former) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        note(&mut listed, &mut counts[1], || {
            change("removed", key, Some(former), None)
        });
    }
    let [added, removed, changed] = counts;
    let rates = changed_rates(old, new);
    (added + removed + changed > 0 || !rates.is_empty()).then(|| {
        record
            .value("added", added)
            .value("removed", removed)
            .value("changed", changed)
            .value("rules", listed)
            .value("rates", rates)
    })
}

/// Those of services have no rule.
fn changed_rates(old: &Snapshot, new: &Snapshot) -> Vec<Value> {
    let (before, after) = (rates_of(old), rates_of(new));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let said = |rate: Option<&Rate>| rate.map(Rate::to_string);
    let changes = keys.into_iter().filter_map(|key @ (service, rule)| {
        let (former, now) = (before.get(key), after.get(key));
        (former != now).then(|| {
            json!({ "service": service, "rule": rule, "before": said(former), "after": said(now) })
        })
    });
    changes.take(MOST_RULES).collect()
}

fn rates_of(snapshot: &Snapshot) -> BTreeMap<(&str, Option<&str>), Rate> {
    let mut rates = BTreeMap::new();
    for service in snapshot.services() {
        let rules = service.policy.rules().iter().zip(&service.rates.rules);
        let rules = rules.filter_map(|(rule, rate)| Some((Some(&*rule.name), (*rate)?)));
        let own = service.rates.service.map(|rate| (None, rate));
        let all = own.into_iter().chain(rules);
        rates.extend(all.map(|(rule, rate)| ((service.name, rule), rate)));
    }
    rates
}

fn note(listed: &mut Vec<Value>, count: &mut usize, change: impl FnOnce() -> Value) {
    *count += 1;
    if listed.len() < MOST_RULES {
        listed.push(change());
    }
}

fn rules_of(snapshot: &Snapshot) -> BTreeMap<(&str, &str), &Rule> {
    let of_service = snapshot.services.iter().flat_map(|service| {
        let rules = service.policy.rules().iter();
        rules.map(|rule| ((service.name.as_str(), &*rule.name), rule))
    });
    of_service.collect()
}

fn change(
    what: &str,
    (service, name): &(&str, &str),
    before: Option<&&Rule>,
    after: Option<&&Rule>,
) -> Value {
    json!({ "change": what, "service": service, "rule": name, "before": before.map(said), "after": after.map(said) })
}

fn said(rule: &&Rule) -> Value {
    json!({
        "path": rule.pattern.source(),
        "methods": methods_in_words(&rule.methods),
        "allow": in_words(&rule.requirement),
        "mode": rule.mode.as_str(),
    })
}

fn changed_user(
    name: &str,
    before: Option<&Arc<User>>,
    after: Option<&Arc<User>>,
    record: impl Fn(&'static str) -> AuditRecord,
) -> Vec<AuditRecord> {
    let mut records = Vec::new();
    match (before, after) {
        (None, Some(user)) => {
            let disabled = user.extras().disabled;
            let added = record("user_added")
                .text("user", name)
                .value("roles", roles(user))
                .value("disabled", disabled);
            records.push(added);
        }
        (Some(_), None) => records.push(record("user_removed").text("user", name)),
        (Some(before), Some(after)) if !Arc::ptr_eq(before, after) => {
            records.extend(changed_facts(
                before,
                after,
                record("user_changed").text("user", name),
            ));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let keys = |user: Option<&Arc<User>>| {
        user.map(|user| user.extras().api_keys.as_slice())
            .unwrap_or_default()
            .to_vec()
    };
    let (old, new) = (keys(before), keys(after));
    for (told, here, there) in [
        (record("api_key_removed"), &old, &new),
        (record("api_key_added"), &new, &old),
    ] {
        let told = told.text("user", name);
        let only = here
            .iter()
            .filter(|key| !there.iter().any(|other| other.digest == key.digest));
        records.extend(only.map(|key| told.clone().text("key", &key.name)));
    }
    records
}

/// `None` where nothing changed. Of a password only that it is another one.
fn changed_facts(before: &User, after: &User, record: AuditRecord) -> Option<AuditRecord> {
    let (old, new) = (&before.identity, &after.identity);
    let changes: Vec<&str> = [
        (
            "enabled",
            before.extras().disabled && !after.extras().disabled,
        ),
        (
            "disabled",
            !before.extras().disabled && after.extras().disabled,
        ),
        ("password", before.password != after.password),
        ("totp", before.extras().totp != after.extras().totp),
        ("roles", old.roles != new.roles),
        ("claims", before.extras().claims != after.extras().claims),
        (
            "tokens_valid_after",
            before.extras().tokens_valid_after != after.extras().tokens_valid_after,
        ),
        ("name", old.name != new.name),
        ("email", old.email != new.email),
    ]
    .into_iter()
    .filter_map(|(fact, changed)| changed.then_some(fact))
    .collect();
    if changes.is_empty() {
        return None;
    }
    let record = record.value("changes", changes);
    Some(if old.roles == new.roles {
        record
    } else {
        record
            .value("roles_before", roles(before))
            .value("roles", roles(after))
    })
}

fn roles(user: &User) -> Vec<String> {
    user.identity
        .roles
        .iter()
        .map(ToString::to_string)
        .collect()
}
