//! `/api/configuration`: what is in force, and how the last reload ended.

use serde_json::{Value, json};

use crate::admin::AdminState;
use crate::admin::loads::{Known, Restart};
use crate::admin::query::Query;
use crate::config::{self, Problem};

/// Problems that are shown.
const MOST: usize = 100;

pub(super) fn read(state: &AdminState, _: &Query) -> Result<Value, String> {
    let known = state.loads.known();
    let problems = known.last.as_ref().map(|last| &*last.problems).unwrap_or_default();
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
        "digest": known.load.digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "loaded_at": known.load.at,
        "users": known.load.users,
        "last_reload": last,
        "restart_needed": known.restart == Restart::Needed,
        "warnings_total": known.load.warnings.len(),
    })
}

fn some(problems: &[Problem]) -> Value {
    config::to_json(&problems[..problems.len().min(MOST)])
}
