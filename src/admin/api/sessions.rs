//! `/api/sessions`: who is signed in, and `/api/sessions/end`.

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
use crate::session::{ListedSession, SessionSelector, StoreUnavailable};
use crate::telemetry::audit::{AuditOutcome, AuditRecord, AuditReservation};
use crate::token::SessionId;

/// Which sessions are to be ended.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    user: Option<String>,
    id: Option<String>,
}

/// One page.
pub(super) async fn list(query: &str, state: &AdminState) -> AdminResponse {
    let read = || {
        let query = Query::parse(query, &["user", "provider", "from"])?;
        let from = query.number("from", 0)?;
        Ok::<_, String>((query, from))
    };
    let (query, from) = match read() {
        Ok(read) => read,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let given = |key| Some(query.text(key)).filter(|text| !text.is_empty());
    let now = ambient::unix_seconds();
    let page = state
        .sessions
        .list_sessions(given("user"), given("provider"), from, now);
    match page.await {
        Ok(page) => {
            let list: Vec<_> = page.list.iter().map(ListedSession::to_json).collect();
            response::json(json!({ "sessions": list, "next": page.next }))
        }
        Err(away) => unreachable_store(away),
    }
}

/// Ends the sessions that the body names.
pub(super) async fn end(body: Incoming, from: IpAddr, state: &AdminState) -> AdminResponse {
    const EXPECTED: &str =
        "send `{\"user\": \"…\"}` or `{\"id\": \"…\"}` with the `id` of a session";
    const UNCLEAR: &str = "some of the sessions may go on; try again";
    let end = match collect(body).await {
        Some(body) => serde_json::from_slice::<End>(&body).ok(),
        None => None,
    };
    let Some((end, selector)) = end.and_then(|end| Some((end.clone(), selector(&end)?))) else {
        return problem(StatusCode::BAD_REQUEST, EXPECTED);
    };
    // nothing is ended that could not be recorded
    let reservation = match &state.audit {
        Some(audit) => Some(Arc::clone(audit).reserve().await),
        None => None,
    };
    // a task of its own: what has begun is recorded, whether or not somebody waits for the answer
    match tokio::spawn(carry_out(end, selector, from, state.clone(), reservation)).await {
        Ok(Ok(ended)) => response::json(json!({ "ended": ended })),
        Ok(Err(away)) => unreachable_store(away),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, UNCLEAR),
    }
}

fn selector(end: &End) -> Option<SessionSelector> {
    match (&end.user, &end.id) {
        (Some(user), None) => Some(SessionSelector::User(user.as_str().into())),
        (None, Some(id)) => SessionId::parse(id).map(SessionSelector::Id),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

async fn carry_out(
    end: End,
    selector: SessionSelector,
    from: IpAddr,
    state: AdminState,
    reservation: Option<AuditReservation>,
) -> Result<usize, StoreUnavailable> {
    let times = (state.in_force)().session_times(ambient::unix_seconds());
    let ended = state.sessions.end_selected(&selector, times).await;
    let (user, session) = (end.user.as_deref(), end.id.as_deref());
    if let Ok(ended) = ended {
        tracing::info!(
            event = "sessions_ended",
            user,
            session,
            ended,
            "an operator has ended sessions"
        );
    }
    if let Some(reservation) = reservation {
        reservation.write(&record((user, session), from, ended));
    }
    ended
}

/// A store that is away may have ended some of them.
fn record(
    (user, session): (Option<&str>, Option<&str>),
    from: IpAddr,
    ended: Result<usize, StoreUnavailable>,
) -> AuditRecord {
    let outcome = if ended.is_ok() {
        AuditOutcome::Success
    } else {
        AuditOutcome::Failure
    };
    let record = AuditRecord::new(ambient::wall_clock(), "sessions_ended", outcome)
        .client(from.to_canonical().into())
        .maybe("user", user)
        .maybe("session", session);
    match ended {
        Ok(ended) => record.value("ended", Value::from(ended)),
        Err(StoreUnavailable) => record.text("reason", "state_away"),
    }
}
