//! `/api/overview`: is all well, in one look.

use serde_json::{Map, Value, json};

use super::configuration;
use crate::access::Mount;
use crate::admin::AdminState;
use crate::admin::query::Query;
use crate::ambient;
use crate::config::ServiceView;
use crate::telemetry::metrics::{HitCounts, ServerLevel};

/// Services that are shown.
const MOST: usize = 500;

pub(super) fn read(state: &AdminState, _: &Query) -> Result<Value, String> {
    let readiness = (state.readiness)();
    let checks = readiness
        .checks()
        .map(|(name, check)| (name.to_owned(), check.text().into()));
    let (in_force, hits, servers) = ((state.in_force)(), state.metrics.hits(), (state.servers)());
    let services = in_force.services();
    let shown = services
        .iter()
        .take(MOST)
        .map(|view| service(view, &hits, &servers));
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": ambient::unix_millis(),
        "started": state.metrics.started(),
        "ready": readiness.is_ready(),
        "checks": checks.into_iter().collect::<Map<_, _>>(),
        "read_only": state.loads.guard().is_read_only(),
        "configuration": configuration::summary(&state.loads.known()),
        "services": shown.collect::<Vec<_>>(),
        "services_total": services.len(),
    }))
}

fn service(view: &ServiceView<'_>, hits: &HitCounts, servers: &[ServerLevel]) -> Value {
    let own = servers.iter().filter(|level| *level.service == *view.name);
    let own = own
        .map(|level| json!({ "server": level.server, "state": level.state, "share": level.share }));
    json!({
        "name": view.name,
        "hosts": view.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "path": Mount::source(view.mount),
        "mode": view.mode.as_str(),
        "rules": view.policy.rules().len(),
        "rate": view.rates.service.map(|rate| rate.to_string()),
        "hits": hits.of_service(view.name).by_decision().map(|(decision, n)| (decision.to_owned(), n.into())).collect::<Map<_, _>>(),
        "servers": own.collect::<Vec<_>>(),
    })
}
