//! What people see where a request is refused: a page, where programs get a problem document.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response};
use serde_json::Value;

use super::record::RequestRecord;
use super::rejection::Rejection;
use super::seen::SeenRequest;
use crate::portal::RefusedRequest;

/// Puts a page in place of a problem document, where a person sees the answer. Its status and its other fields stay.
/// `rejection` is why, where the gateway itself has not let it through.
pub(super) fn show_refusal(
    record: &RequestRecord,
    mut response: Response<Bytes>,
    rejection: Option<&Rejection>,
) -> Response<Bytes> {
    let Some(seen) = &record.facts.seen else {
        return response;
    };
    if !is_refusal(&response) {
        return response;
    }
    if let Some(page) = page(record, seen, &response, rejection) {
        let (parts, body) = page.into_parts();
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    }
    if seen.method == Method::HEAD {
        // not every version of HTTP leaves it out by itself
        let length = std::mem::take(response.body_mut()).len();
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

fn page(
    record: &RequestRecord,
    seen: &SeenRequest,
    response: &Response<Bytes>,
    rejection: Option<&Rejection>,
) -> Option<Response<Bytes>> {
    let snapshot = record.snapshot();
    // what is refused early is so before anybody has looked who sends it
    let known = record.facts.user.clone();
    let identity = known.or_else(|| record.identify(seen.credential.as_ref()?));
    let told: Option<Value> = serde_json::from_slice(response.body()).ok();
    let told = told.as_ref().and_then(|told| told["detail"].as_str());
    let detail = rejection.and_then(Rejection::detail_for_people);
    let next = seen.next(snapshot.router.widest_paths());
    snapshot.portal.show_refused(&RefusedRequest {
        status: response.status(),
        detail: detail.as_deref().or(told).unwrap_or_default(),
        step_up: rejection.and_then(Rejection::step_up),
        opens: seen.opens(),
        retry_after: number(response),
        identity: identity.as_deref(),
        next: next.as_ref(),
        request_id: record.facts.request_id.to_str().unwrap_or_default(),
    })
}

/// The seconds of `Retry-After`.
fn number(response: &Response<Bytes>) -> Option<u64> {
    let value = response.headers().get(RETRY_AFTER)?;
    value.to_str().ok()?.parse().ok()
}

/// A refusal for programs: an error in JSON.
fn is_refusal(response: &Response<Bytes>) -> bool {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let is_json = |kind: &HeaderValue| {
        matches!(
            kind.as_bytes(),
            b"application/problem+json" | b"application/json"
        )
    };
    (status.is_client_error() || status.is_server_error()) && kind.is_some_and(is_json)
}
