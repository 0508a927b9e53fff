//! The OpenAPI document of a service, told what the gateway asks: so its own Swagger UI has an Authorize button.
//!
//! Whatever cannot be read is passed on as it is: too large a document, one in another format, or none at all.

mod annotate;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;

use self::annotate::annotate;
use super::snapshot::ServiceSnapshot;
use crate::access::RequestPath;
use crate::upstream::{AnswerFault, ForwardError, ResponseBody};
use crate::wire::Intake;

/// The most bytes of a document that is looked into.
const LARGEST: usize = 2 * 1024 * 1024;

/// What the upstream answered.
pub(super) enum Read {
    /// A document, with the gateway's additions.
    Annotated(Response<Bytes>),
    /// Something else; what was read of it comes before the rest.
    Untouched(Bytes, Response<ResponseBody>),
}

/// Whether a request asks for the service's document.
fn is_asked(service: &ServiceSnapshot, method: &Method, path: &RequestPath) -> bool {
    let named = service
        .document
        .as_deref()
        .is_some_and(|document| document == path.as_str());
    named && [Method::GET, Method::HEAD].contains(method)
}

/// Asks for the whole document, in the clear, where the request is one for it.
pub(super) fn ask_whole(
    service: &ServiceSnapshot,
    path: &RequestPath,
    intake: &mut Intake,
) -> bool {
    if !is_asked(service, &intake.head.method, path) {
        return false;
    }
    let headers = &mut intake.head.headers;
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE] {
        headers.remove(name);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    true
}

/// Reads the answer and adds what the rules ask. One to HEAD tells nothing that only the document could tell.
pub(super) async fn read(
    mut response: Response<ResponseBody>,
    is_head: bool,
    service: &ServiceSnapshot,
    login: &str,
) -> Result<Read, ForwardError> {
    if !is_document(&response) {
        return Ok(Read::Untouched(Bytes::new(), response));
    }
    if is_head {
        retell(response.headers_mut());
        return Ok(Read::Untouched(Bytes::new(), response));
    }
    let (head, mut body) = response.into_parts();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(broken_off)?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > LARGEST {
            return Ok(Read::Untouched(
                read.freeze(),
                Response::from_parts(head, body),
            ));
        }
    }
    let read = read.freeze();
    let Some(annotated) = annotate(&read, service, login) else {
        return Ok(Read::Untouched(read, Response::from_parts(head, body)));
    };
    let length = annotated.len();
    let mut response = Response::from_parts(head, annotated);
    retell(response.headers_mut());
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    Ok(Read::Annotated(response))
}

fn broken_off(fault: AnswerFault) -> ForwardError {
    match fault {
        AnswerFault::Broken(error) => ForwardError::Closed(error),
        AnswerFault::TimedOut => ForwardError::ResponseTimeout,
    }
}

fn is_document(response: &Response<ResponseBody>) -> bool {
    let headers = response.headers();
    let coded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity");
    response.status() == StatusCode::OK && !coded && is_json(headers)
}

/// `application/json`, `application/vnd.oai.openapi+json` and their kin.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// What was said about the upstream's bytes does not hold for these, and with the next reload they may be others.
fn retell(headers: &mut HeaderMap) {
    const DIGESTS: [&str; 4] = ["content-md5", "digest", "content-digest", "repr-digest"];
    for name in [CONTENT_LENGTH, ETAG, LAST_MODIFIED, ACCEPT_RANGES]
        .into_iter()
        .chain(DIGESTS.map(HeaderName::from_static))
    {
        headers.remove(name);
    }
    // beside what the service says: its `no-store` or `private` still counts (RFC 9111, section 5.2)
    headers.append(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}
