//! `/api/*`: what the dashboard shows, as JSON. `docs/reference/admin-api.md` is its contract.
//!
//! Every list is bounded, and every answer is made without waiting, but for lockouts, sessions and second factors, which the
//! state store has.

mod configuration;
mod factors;
mod history;
mod lift;
mod lockouts;
mod overview;
mod recent;
mod routes;
mod rules;
mod select;
mod sessions;

use std::net::IpAddr;

use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::AdminState;
use super::guard::Guard;
use super::query::Query;
use super::response::{self, AdminResponse, nothing, problem, refuse, wrong_method};

/// One endpoint that only reads.
struct Reading {
    path: &'static str,
    /// The parameters that it knows.
    parameters: &'static [&'static str],
    about: &'static str,
    read: fn(&AdminState, &Query) -> Result<Value, String>,
}

const READINGS: &[Reading] = &[
    Reading {
        path: "/api/overview",
        parameters: &[],
        about: "readiness, what is loaded, and services with their servers",
        read: overview::read,
    },
    Reading {
        path: "/api/history",
        parameters: &["after"],
        about: "requests, decisions, latency and logins of the last 15 minutes",
        read: history::read,
    },
    Reading {
        path: "/api/rules",
        parameters: select::PARAMETERS,
        about: "rules with what they have decided since the start",
        read: rules::read,
    },
    Reading {
        path: "/api/routes",
        parameters: select::PARAMETERS,
        about: "who can do what: rules and roles",
        read: routes::read,
    },
    Reading {
        path: "/api/denials",
        parameters: &["limit"],
        about: "the last requests that were refused, or would have been",
        read: recent::denials,
    },
    Reading {
        path: "/api/logins",
        parameters: &["limit"],
        about: "the last logins, refreshes that failed, and logouts",
        read: recent::sign_ins,
    },
    Reading {
        path: "/api/configuration",
        parameters: &[],
        about: "what is in force, and the last reload with its problems",
        read: configuration::read,
    },
];

const LOCKOUTS: &str = "/api/lockouts";
const LIFT: &str = "/api/lockouts/lift";
const SESSIONS: &str = "/api/sessions";
const END: &str = "/api/sessions/end";
const FACTORS: &str = "/api/factors";
const REMOVE: &str = "/api/factors/remove";

/// Whether a path is one of the API's.
pub(super) fn is_below(path: &str) -> bool {
    path.strip_prefix("/api")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to the API that comes from this address.
pub(super) async fn answer(
    request: Request<Incoming>,
    from: IpAddr,
    state: &AdminState,
    guard: &Guard,
) -> AdminResponse {
    let path = request.uri().path().to_owned();
    let mut answer = if [LIFT, END, REMOVE].contains(&&*path) {
        match guard.may_change(request.headers()) {
            _ if request.method() != Method::POST => wrong_method("POST"),
            Err(refusal) => refuse(refusal),
            Ok(()) if path == REMOVE => factors::remove(request.into_body(), from, state).await,
            Ok(()) if path == END => sessions::end(request.into_body(), from, state).await,
            Ok(()) => lift::lift(request.into_body(), from, state).await,
        }
    } else {
        match guard.may_look(request.headers()) {
            Err(refusal) => refuse(refusal),
            Ok(()) if request.method() != Method::GET && request.method() != Method::HEAD => {
                wrong_method("GET, HEAD")
            }
            Ok(()) => read(&path, request.uri().query().unwrap_or_default(), state).await,
        }
    };
    answer
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

async fn read(path: &str, query: &str, state: &AdminState) -> AdminResponse {
    match path {
        LOCKOUTS => return lockouts::list(query, state).await,
        SESSIONS => return sessions::list(query, state).await,
        FACTORS => return factors::list(query, state).await,
        "/api" | "/api/" => return response::json(index()),
        _ => {}
    }
    let Some(endpoint) = READINGS.iter().find(|endpoint| endpoint.path == path) else {
        return nothing();
    };
    let value =
        Query::parse(query, endpoint.parameters).and_then(|query| (endpoint.read)(state, &query));
    value.map_or_else(
        |wrong| problem(StatusCode::BAD_REQUEST, &wrong),
        response::json,
    )
}

/// What there is to ask.
fn index() -> Value {
    let stored = [
        (LOCKOUTS, "GET", "who may not log in now"),
        (LIFT, "POST", "lets somebody log in again"),
        (SESSIONS, "GET", "who is signed in"),
        (END, "POST", "signs somebody out"),
        (FACTORS, "GET", "who has added a second factor"),
        (REMOVE, "POST", "takes somebody's second factors away"),
    ];
    let readings = READINGS
        .iter()
        .map(|endpoint| (endpoint.path, "GET", endpoint.about));
    let entry = |(path, method, about)| json!({ "path": path, "method": method, "about": about });
    json!({ "endpoints": readings.chain(stored).map(entry).collect::<Vec<_>>() })
}
