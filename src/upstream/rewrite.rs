//! Rewrites a request for HTTP/2 or HTTP/1.1: the connection decides which.

use http::header::{CONNECTION, EXPECT, HOST, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version};
use http_body::Body as _;

use super::body::RequestBody;
use super::error::ForwardError;

/// Host becomes `:authority`, and nothing about the connection is left (RFC 9113, section 8.3.1).
pub(super) fn for_http2(
    request: &mut Request<RequestBody>,
    scheme: Scheme,
) -> Result<(), ForwardError> {
    let host = request
        .headers()
        .get(HOST)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let authority = Authority::try_from(host).map_err(unspeakable)?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).map_err(unspeakable)?;
    *request.version_mut() = Version::HTTP_2;
    for name in [HOST, TRANSFER_ENCODING, CONNECTION, EXPECT] {
        request.headers_mut().remove(name);
    }
    // its client does not hear what comes before an answer
    request.body().open_gate();
    Ok(())
}

/// A request that was not sent over HTTP/2 after all, as it was before.
pub(super) fn for_http1(request: &mut Request<RequestBody>) {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let host = parts
        .authority
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    if request.headers().contains_key(TE) {
        request
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("te"));
    }
    *request.uri_mut() = parts.path_and_query.map_or_else(Uri::default, Uri::from);
    *request.version_mut() = Version::HTTP_11;
    if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
        request
            .headers_mut()
            .insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

fn unspeakable(error: impl std::fmt::Display) -> ForwardError {
    ForwardError::Inexpressible(format!("HTTP/2 has no way to say it: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_it_is_the_same_request() {
        let mut request = Request::new(RequestBody::empty());
        *request.uri_mut() = "/a/b?c=d".parse().unwrap();
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("api.test:81"));
        request
            .headers_mut()
            .insert("te", HeaderValue::from_static("trailers"));
        for_http2(&mut request, Scheme::HTTPS).unwrap();
        assert_eq!(request.uri(), "https://api.test:81/a/b?c=d");
        assert_eq!(request.version(), Version::HTTP_2);
        assert!(!request.headers().contains_key(HOST) && request.headers().contains_key("te"));
        for_http1(&mut request);
        assert_eq!(
            (request.uri().to_string(), request.version()),
            ("/a/b?c=d".to_owned(), Version::HTTP_11)
        );
        assert_eq!(request.headers()[HOST], "api.test:81");
    }
}
