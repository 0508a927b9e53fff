//! From a request to its answer.

use std::net::IpAddr;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::readiness::Report;
use super::response::{AdminResponse, nothing, refuse, respond, wrong_method};
use super::{AdminState, api, page};
use crate::telemetry::metrics;

/// Answers a request, whatever it is.
pub(super) async fn answer(
    request: Request<Incoming>,
    from: IpAddr,
    state: &AdminState,
) -> AdminResponse {
    let (path, guard) = (request.uri().path(), state.loads.guard());
    let scrape = |endpoint: fn(&AdminState) -> AdminResponse| {
        let allowed = guard.may_scrape(request.headers());
        only_reading(request.method(), || {
            allowed.map_or_else(refuse, |()| endpoint(state))
        })
    };
    match path {
        // it reveals nothing of the configuration, so any host name may be used
        "/healthz" => only_reading(request.method(), health),
        "/readyz" => scrape(readiness),
        "/metrics" => scrape(counters),
        _ if api::is_below(path) => api::answer(request, from, state, &guard).await,
        _ => {
            let Some(file) = page::file(path) else {
                return nothing();
            };
            let allowed = guard.may_open(request.headers());
            only_reading(request.method(), || allowed.map_or_else(refuse, |()| file))
        }
    }
}

fn only_reading(method: &Method, answer: impl FnOnce() -> AdminResponse) -> AdminResponse {
    match *method {
        Method::GET | Method::HEAD => answer(),
        _ => wrong_method("GET, HEAD"),
    }
}

fn health() -> AdminResponse {
    respond(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

fn readiness(state: &AdminState) -> AdminResponse {
    let readiness = (state.readiness)();
    let status = if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let report = Report {
        readiness,
        servers: (state.servers)(),
    };
    let report = serde_json::to_string(&report).expect("a map of texts is JSON");
    respond(status, "application/json", report + "\n")
}

fn counters(state: &AdminState) -> AdminResponse {
    respond(
        StatusCode::OK,
        metrics::CONTENT_TYPE,
        state.metrics.encode(),
    )
}
