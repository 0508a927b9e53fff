//! Shows the public keys that tokens are verified with (RFC 7517), so that services can verify them too.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};

/// Keys are the same for everybody, and a new one signs as soon as it is shown: who meets an unknown `kid` must ask
/// again before the five minutes are over.
pub(super) fn answer(document: &Bytes) -> Response<Bytes> {
    let mut response = Response::new(document.clone());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response
}
