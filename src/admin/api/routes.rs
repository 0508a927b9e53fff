//! `/api/routes`: who can do what, rules × roles, as `gatelatch routes` prints it.

use serde_json::{Value, json};

use super::select::{Found, RulesPage, Selection};
use crate::admin::AdminState;
use crate::admin::query::Query;
use crate::analysis::{AudienceAccess, CallerAudience, audiences, condition_in_words, row};

/// Callers that have a column. A role that no rule names can do what everybody can who has signed in.
const MOST: usize = 40;

pub(super) fn read(state: &AdminState, query: &Query) -> Result<Value, String> {
    let (in_force, hits) = ((state.in_force)(), state.metrics.hits());
    let services = in_force.services();
    let RulesPage {
        total,
        offset,
        rules,
    } = Selection::of(query)?.select(&services, &hits);
    let held = in_force.directory().users();
    let held = held
        .flat_map(|user| user.identity.roles.iter())
        .map(|role| &**role);
    let mut columns = audiences(services.iter().map(|view| view.policy), held);
    let left_off = columns.len().saturating_sub(MOST);
    columns.truncate(MOST);
    Ok(json!({
        "total": total,
        "offset": offset,
        "audiences": columns.iter().map(heading).collect::<Vec<_>>(),
        "roles_left_off": left_off,
        "rules": rules.iter().map(|found| line(found, &columns)).collect::<Vec<_>>(),
    }))
}

fn heading(audience: &CallerAudience) -> Value {
    match audience {
        CallerAudience::Anonymous => json!({ "kind": "anonymous", "name": "anonymous" }),
        CallerAudience::SignedIn => json!({ "kind": "signed_in", "name": "signed in" }),
        CallerAudience::Role(role) => json!({ "kind": "role", "name": role }),
    }
}

fn line(found: &Found<'_>, columns: &[CallerAudience]) -> Value {
    let cells = found
        .rule
        .map(|id| row(found.service.policy, id, columns).cells)
        .unwrap_or_default();
    let none = columns.iter().map(|_| json!(false)).collect::<Vec<_>>();
    let cells = if found.rule.is_some() {
        cells.iter().map(cell).collect()
    } else {
        none
    };
    json!({
        "service": found.service.name,
        "name": found.rule().map(|rule| &rule.name),
        "methods": found.methods(),
        "path": found.rule().map(|rule| rule.pattern.source()),
        "mode": found.rule().map_or(found.service.mode, |rule| rule.mode).as_str(),
        "access": cells,
    })
}

/// `true`, `false`, or the conditions of which one must hold.
fn cell(access: &AudienceAccess) -> Value {
    match access {
        AudienceAccess::Always => json!(true),
        AudienceAccess::Never => json!(false),
        AudienceAccess::If(conditions) => conditions.iter().map(condition_in_words).collect(),
    }
}
