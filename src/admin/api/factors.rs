//! `/api/factors`: who has added a second factor, and `/api/factors/remove`: the way back for who has lost theirs.

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lift::collect;
use super::lockouts::unreachable_store;
use crate::admin::AdminState;
use crate::admin::query::Query;
use crate::admin::response::{self, AdminResponse, problem};
use crate::ambient;
use crate::session::{FactorSummary, StoreUnavailable};
use crate::telemetry::audit::{AuditOutcome, AuditRecord, AuditReservation};

/// How many of those of the user list are named.
const LISTED: usize = 500;

/// Whose factors are to be removed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    user: String,
}

/// One page, or what one person has.
pub(super) async fn list(query: &str, state: &AdminState) -> AdminResponse {
    let read = || {
        let query = Query::parse(query, &["user", "from"])?;
        let from = query.number("from", 0)?;
        Ok::<_, String>((query, from))
    };
    let (query, from) = match read() {
        Ok(read) => read,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let user = query.text("user");
    let found = if user.is_empty() {
        let page = state.sessions.list_factors(from).await;
        page.map(|page| (page.list, page.next))
    } else {
        let found = state.sessions.factor_summary(user).await;
        found.map(|found| {
            (
                found
                    .map(|found| (user.into(), found))
                    .into_iter()
                    .collect(),
                None,
            )
        })
    };
    match found {
        Ok((list, next)) => {
            let list: Vec<Value> = list.iter().map(|(user, has)| shown(user, has)).collect();
            response::json(json!({ "factors": list, "next": next, "listed": listed(state) }))
        }
        Err(away) => unreachable_store(away),
    }
}

/// Those for whom the user list has a secret.
fn listed(state: &AdminState) -> Value {
    let in_force = (state.in_force)();
    let with_totp = in_force.directory().users();
    let with_totp = with_totp.filter(|user| user.extras().totp.is_some());
    let mut names: Vec<&str> = with_totp.map(|user| &*user.identity.subject).collect();
    let total = names.len();
    names.sort_unstable();
    names.truncate(LISTED);
    json!({ "total": total, "users": names })
}

fn shown(user: &str, has: &FactorSummary) -> Value {
    let mut shown = has.to_json();
    shown["user"] = user.into();
    shown
}

/// Removes everything that the person of the body has added.
pub(super) async fn remove(body: Incoming, from: IpAddr, state: &AdminState) -> AdminResponse {
    const EXPECTED: &str = "send `{\"user\": \"…\"}`";
    let remove = match collect(body).await {
        Some(body) => serde_json::from_slice::<Remove>(&body).ok(),
        None => None,
    };
    let Some(remove) = remove else {
        return problem(StatusCode::BAD_REQUEST, EXPECTED);
    };
    // nothing is removed that could not be recorded
    let reservation = match &state.audit {
        Some(audit) => Some(Arc::clone(audit).reserve().await),
        None => None,
    };
    // a task of its own: what has begun is recorded, whether or not somebody waits for the answer
    match tokio::spawn(carry_out(remove, from, state.clone(), reservation)).await {
        Ok(Ok(removed)) => response::json(json!({ "removed": removed })),
        Ok(Err(away)) => unreachable_store(away),
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the factors may be there still; try again",
        ),
    }
}

async fn carry_out(
    remove: Remove,
    from: IpAddr,
    state: AdminState,
    reservation: Option<AuditReservation>,
) -> Result<bool, StoreUnavailable> {
    let user = &*remove.user;
    let removed = state.sessions.remove_factors(user).await;
    if let Ok(removed) = removed {
        tracing::info!(
            event = "factors_removed",
            user,
            removed,
            "an operator has removed somebody's second factors"
        );
    }
    if let Some(reservation) = reservation {
        reservation.write(&record(user, from, removed));
    }
    removed
}

/// A store that is away may have removed them.
fn record(user: &str, from: IpAddr, removed: Result<bool, StoreUnavailable>) -> AuditRecord {
    let outcome = if removed.is_ok() {
        AuditOutcome::Success
    } else {
        AuditOutcome::Failure
    };
    let record = AuditRecord::new(ambient::wall_clock(), "factors_removed", outcome)
        .client(from.to_canonical().into())
        .text("user", user);
    match removed {
        Ok(removed) => record.value("removed", Value::from(removed)),
        Err(StoreUnavailable) => record.text("reason", "state_away"),
    }
}
