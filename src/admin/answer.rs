//! From a request to its answer.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use super::guard::Refusal;
use super::readiness::Report;
use super::{AdminState, api, page};
use crate::telemetry::metrics;

pub(super) type AdminResponse = Response<Full<Bytes>>;

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
        // it says nothing of the configuration, so whoever probes may call it by any name
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

/// The answer where a method is not for a path.
pub(super) fn wrong_method(allowed: &'static str) -> AdminResponse {
    let mut refusal = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("only {}", allowed.replace(", ", " and ")),
    );
    refusal
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    refusal
}

/// The answer where there is nothing.
pub(super) fn nothing() -> AdminResponse {
    problem(
        StatusCode::NOT_FOUND,
        "try `/`, `/api`, `/healthz`, `/readyz` or `/metrics`",
    )
}

/// The answer to who may not ask.
pub(super) fn refuse(refusal: Refusal) -> AdminResponse {
    let status = match refusal {
        Refusal::NoToken | Refusal::WrongToken => StatusCode::UNAUTHORIZED,
        Refusal::Host | Refusal::Name | Refusal::ReadOnly | Refusal::Foreign => {
            StatusCode::FORBIDDEN
        }
        Refusal::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    let mut answer = problem(status, refusal.text());
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"gatelatch admin\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
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

/// An answer that says what is wrong (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> AdminResponse {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    respond(status, "application/problem+json", body.to_string())
}

/// An answer of one piece.
pub(super) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> AdminResponse {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // what was true a moment ago is of no use to anybody
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
