//! `/api/rules`: rules with what they have decided since the start.

use serde_json::{Map, Value, json};

use super::select::{Found, RulesPage, Selection};
use crate::admin::AdminState;
use crate::admin::query::Query;
use crate::analysis::in_words;
use crate::telemetry::metrics::RuleHits;

pub(super) fn read(state: &AdminState, query: &Query) -> Result<Value, String> {
    let (in_force, hits) = ((state.in_force)(), state.metrics.hits());
    let services = in_force.services();
    let RulesPage {
        total,
        offset,
        rules,
    } = Selection::of(query)?.select(&services, &hits);
    Ok(
        json!({ "total": total, "offset": offset, "rules": rules.iter().map(rule).collect::<Vec<_>>() }),
    )
}

fn rule(found: &Found<'_>) -> Value {
    let (rule, origin) = (found.rule(), found.origin());
    json!({
        "service": found.service.name,
        "name": rule.map(|rule| &rule.name),
        "methods": found.methods(),
        "path": rule.map(|rule| rule.pattern.source()),
        "allow": rule.map(|rule| in_words(&rule.requirement)),
        "mode": rule.map_or(found.service.mode, |rule| rule.mode).as_str(),
        "rate": found.rate().map(|rate| rate.to_string()),
        "file": origin.map(|origin| origin.file.display().to_string()),
        "line": origin.map(|origin| origin.line),
        "hits": by_decision(found.hits),
        "total": found.hits.total(),
        "denied": found.hits.denied(),
        "would_be_denied": found.hits.reported(),
    })
}

/// In the form of `gatelatch explain --live`.
fn by_decision(hits: RuleHits) -> Map<String, Value> {
    hits.by_decision()
        .map(|(decision, count)| (decision.to_owned(), count.into()))
        .collect()
}
