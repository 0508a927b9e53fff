//! `/api/configuration`: what is in force, and how the last reload ended.

use serde_json::{Value, json};

use crate::admin::AdminState;
use crate::admin::loads::{Known, Restart};
use crate::admin::query::Query;
use crate::config::{self, Problem, Severity};
use crate::text::hex;

/// Problems that are shown.
const MOST: usize = 100;

pub(super) fn read(state: &AdminState, _: &Query) -> Result<Value, String> {
    let known = state.loads.known();
    let problems = known
        .last
        .as_ref()
        .map(|last| &*last.problems)
        .unwrap_or_default();
    let mut answer = summary(&known);
    answer["problems"] = some(problems);
    answer["warnings"] = some(&known.load.warnings);
    Ok(answer)
}

/// The same without what is wrong in words.
pub(super) fn summary(known: &Known) -> Value {
    let last = known
        .last
        .as_ref()
        .map(|last| json!({ "outcome": last.outcome.label(), "at": last.at, "problems": last.problems.len() }));
    json!({
        "digest": hex::encode(&known.load.digest),
        "loaded_at": known.load.at,
        "users": known.load.users,
        "last_reload": last,
        "restart_needed": known.restart == Restart::Needed,
        "warnings_total": known.load.warnings.len(),
    })
}

/// The errors first: they are what has to be repaired.
fn some(problems: &[Problem]) -> Value {
    let is_error = |problem: &&Problem| problem.severity == Severity::Error;
    let (errors, others): (Vec<_>, Vec<_>) = problems.iter().partition(is_error);
    let shown: Vec<_> = errors
        .into_iter()
        .chain(others)
        .take(MOST)
        .cloned()
        .collect();
    config::to_json(&shown)
}
