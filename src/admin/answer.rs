//! From a request to its answer.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use super::AdminState;
use super::readiness::Report;
use crate::telemetry::metrics;

type Answer = Response<Full<Bytes>>;

pub(super) fn answer(method: &Method, path: &str, state: &AdminState) -> Answer {
    let endpoint = match path {
        "/healthz" => health,
        "/readyz" => readiness,
        "/metrics" => counters,
        _ => return problem(StatusCode::NOT_FOUND, "try `/healthz`, `/readyz` or `/metrics`"),
    };
    if *method == Method::GET || *method == Method::HEAD {
        return endpoint(state);
    }
    let mut refusal = problem(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refusal
}

fn health(_: &AdminState) -> Answer {
    respond(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

fn readiness(state: &AdminState) -> Answer {
    let readiness = (state.readiness)();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let report = Report { readiness, servers: (state.servers)() };
    let report = serde_json::to_string(&report).expect("a map of texts is JSON");
    respond(status, "application/json", report + "\n")
}

fn counters(state: &AdminState) -> Answer {
    respond(StatusCode::OK, metrics::CONTENT_TYPE, state.metrics.encode())
}

fn problem(status: StatusCode, detail: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or_default();
    let body = format!(
        r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#,
        status = status.as_u16()
    );
    respond(status, "application/problem+json", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // what was true a moment ago is of no use to anybody
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
