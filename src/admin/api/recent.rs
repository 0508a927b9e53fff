//! `/api/denials` and `/api/logins`: what happened last.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::admin::query::Query;
use crate::admin::{AdminState, InForce};
use crate::config::Origin;
use crate::telemetry::metrics::LoginOutcome;
use crate::telemetry::recent::{RecentDenial, RecentSignIn};

/// Where rules stand, by service and name; `None` where they are gone.
type Origins<'a> = HashMap<(&'a str, &'a str), Option<Origin>>;

pub(super) fn denials(state: &AdminState, query: &Query) -> Result<Value, String> {
    let denials = state.recent.denials(query.limit(50, 200)?);
    let in_force = (state.in_force)();
    let origins = origins(&denials, &*in_force);
    Ok(json!({ "denials": denials.iter().map(|one| denial(one, &origins)).collect::<Vec<_>>() }))
}

/// One walk over the rules, whatever the number of denials.
fn origins<'a>(denials: &'a [RecentDenial], in_force: &'a dyn InForce) -> Origins<'a> {
    let mut wanted: Origins<'a> = denials
        .iter()
        .map(|denial| ((&*denial.service, &*denial.rule), None))
        .collect();
    for view in in_force.services() {
        for (rule, origin) in view.policy.rules().iter().zip(view.origins) {
            if let Some(place) = wanted.get_mut(&(view.name, &*rule.name)) {
                place.get_or_insert_with(|| origin.clone());
            }
        }
    }
    wanted
}

fn denial(denial: &RecentDenial, origins: &Origins<'_>) -> Value {
    let origin = origins
        .get(&(&*denial.service, &*denial.rule))
        .and_then(Option::as_ref);
    json!({
        "at": millis(denial.time),
        "times": denial.times,
        "decision": denial.decision,
        "status": denial.status,
        "method": denial.method,
        "host": denial.host,
        "path": denial.path,
        "service": given(&denial.service),
        "rule": given(&denial.rule),
        "file": origin.map(|origin| origin.file.display().to_string()),
        "line": origin.map(|origin| origin.line),
        "reason": given(&denial.reason),
        "user": denial.user,
        "client": denial.client.to_string(),
        "request_id": denial.request_id,
    })
}

pub(super) fn sign_ins(state: &AdminState, query: &Query) -> Result<Value, String> {
    let list = state.recent.sign_ins(query.limit(50, 200)?);
    let logins = state.metrics.sums().logins;
    let totals = LoginOutcome::EVERY
        .iter()
        .zip(logins)
        .map(|(outcome, n)| (outcome.label().to_owned(), n.into()));
    Ok(
        json!({ "totals": totals.collect::<Map<_, _>>(), "logins": list.iter().map(sign_in).collect::<Vec<_>>() }),
    )
}

fn sign_in(one: &RecentSignIn) -> Value {
    json!({
        "at": millis(one.time),
        "times": one.times,
        "event": one.event,
        "reason": given(one.reason),
        "user": given(&one.user),
        "provider": given(&one.provider),
        "client": one.client.to_string(),
    })
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
