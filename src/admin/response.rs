//! The responses that all admin endpoints share.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::guard::Refusal;

pub(super) type AdminResponse = Response<Full<Bytes>>;

/// 405 with the allowed methods.
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

/// 404.
pub(super) fn nothing() -> AdminResponse {
    problem(
        StatusCode::NOT_FOUND,
        "try `/`, `/api`, `/healthz`, `/readyz` or `/metrics`",
    )
}

/// The response to a request that the guard refuses.
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

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> AdminResponse {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    respond(status, "application/problem+json", format!("{body}\n"))
}

/// A response with a complete body.
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
    // the state changes all the time
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A value as JSON.
pub(super) fn json(value: Value) -> AdminResponse {
    respond(StatusCode::OK, "application/json", format!("{value}\n"))
}
