//! `/api/lockouts/lift`: the one thing that the dashboard changes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::lockouts::{names, parts, unreachable_store};
use crate::admin::AdminState;
use crate::admin::response::{self, AdminResponse, problem};
use crate::ambient;
use crate::session::{LockoutScope, StoreUnavailable, Unknown};
use crate::telemetry::audit::{AuditOutcome, AuditRecord, AuditReservation};

/// What a body may hold, and how long it may take.
const LARGEST: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    id: String,
}

/// Lifts one lockout, whose name is in the body.
pub(super) async fn lift(body: Incoming, from: IpAddr, state: &AdminState) -> AdminResponse {
    let Some(body) = collect(body).await else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the body did not come, or is too large",
        );
    };
    let Ok(Lift { id }) = serde_json::from_slice(&body) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "send `{\"id\": \"…\"}` with the `id` of a lockout",
        );
    };
    // nothing is lifted that could not be recorded
    let reservation = match &state.audit {
        Some(audit) => Some(Arc::clone(audit).reserve().await),
        None => None,
    };
    // a task of its own: what has begun is recorded, whether or not somebody waits for the answer
    match tokio::spawn(carry_out(id.clone(), from, state.clone(), reservation)).await {
        Ok(Ok(Ok(()))) => response::json(json!({ "lifted": id })),
        Ok(Ok(Err(away))) => unreachable_store(away),
        Ok(Err(Unknown)) => problem(
            StatusCode::NOT_FOUND,
            "no lockout has this `id`; `/api/lockouts` lists them",
        ),
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the lockout may still be in force; try again",
        ),
    }
}

async fn carry_out(
    id: String,
    from: IpAddr,
    state: AdminState,
    reservation: Option<AuditReservation>,
) -> Result<Result<(), StoreUnavailable>, Unknown> {
    let (held, lifted) = state.sessions.lift_named(&id).await?;
    if lifted.is_ok() {
        let (kind, ..) = parts(held);
        tracing::info!(
            event = "lockout_lifted",
            kind,
            lockout = id,
            "an operator has lifted a lockout"
        );
    }
    if let Some(reservation) = reservation {
        reservation.write(&record(&id, from, held, lifted, &state));
    }
    Ok(lifted)
}

/// Says what was lifted, from which address; a store that is away may have lifted it or not.
fn record(
    id: &str,
    from: IpAddr,
    held: LockoutScope,
    lifted: Result<(), StoreUnavailable>,
    state: &AdminState,
) -> AuditRecord {
    let (_, account, network) = parts(held);
    let names = names(std::iter::once(held), state);
    let user = account.and_then(|account| names.get(&account));
    let network = network.map(|network| network.in_words());
    let outcome = match lifted {
        Ok(()) => AuditOutcome::Success,
        Err(StoreUnavailable) => AuditOutcome::Failure,
    };
    AuditRecord::new(ambient::wall_clock(), "lockout_lifted", outcome)
        .client(from.to_canonical().into())
        .text("lockout", id)
        .text("scope", scope(held))
        .maybe("user", user.map(String::as_str))
        .maybe("network", network.as_deref())
        .maybe("reason", lifted.err().map(|_| "state_away"))
}

/// As the records of lockouts that begin say it.
fn scope(held: LockoutScope) -> &'static str {
    match held {
        LockoutScope::Pair(..) => "account_and_network",
        LockoutScope::Network(_) => "network",
        LockoutScope::Account(_) => "account",
    }
}

/// A body; `None` where it does not come, or is too large.
pub(super) async fn collect(body: Incoming) -> Option<Bytes> {
    let whole = timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    Some(whole.ok()?.ok()?.to_bytes())
}
