//! What is kept of a request that may have to be sent again.

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request};

use super::body::RequestBody;

/// A request without a body, to be sent a second time if need be. Nearly all are kept in vain, so that it is made to be made
/// quickly and to be small: all that it says is one text, where a copy of each field would count references up and down,
/// and how the names were spelled is not kept.
pub(super) struct Spare {
    method: Method,
    /// The target, and then each field, its name and its value behind a line's end. Nothing of this can hold one.
    text: Vec<u8>,
    upgrade: Option<HeaderValue>,
}

/// Bytes that most requests fit into.
const USUAL_LENGTH: usize = 640;

/// Stands before each part but the first.
const NEXT: u8 = b'\n';

impl Spare {
    pub(super) fn of(request: &Request<RequestBody>, upgrade: Option<&HeaderValue>) -> Self {
        let mut text = Vec::with_capacity(USUAL_LENGTH);
        text.extend_from_slice(
            request
                .uri()
                .path_and_query()
                .map_or("/", PathAndQuery::as_str)
                .as_bytes(),
        );
        for (name, value) in request.headers() {
            text.push(NEXT);
            text.extend_from_slice(name.as_str().as_bytes());
            text.push(NEXT);
            text.extend_from_slice(value.as_bytes());
        }
        Self {
            method: request.method().clone(),
            text,
            upgrade: upgrade.cloned(),
        }
    }

    /// The request again, with the protocol to switch to.
    pub(super) fn into_parts(self) -> (Request<RequestBody>, Option<HeaderValue>) {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = self.method;
        let mut parts = self.text.split(|byte| *byte == NEXT);
        let target = parts.next().unwrap_or_default();
        *request.uri_mut() = PathAndQuery::try_from(target)
            .expect("it was the target of a request")
            .into();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            let name = HeaderName::from_bytes(name).expect("it was the name of a field");
            let value = HeaderValue::from_bytes(value).expect("it was the value of a field");
            request.headers_mut().append(name, value);
        }
        (request, self.upgrade)
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    #[test]
    fn what_is_sent_again_is_what_was_sent() {
        for target in ["/a?b=c", "/", "*"] {
            sent_again(target);
        }
    }

    fn sent_again(target: &'static str) {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = Uri::from_static(target);
        for (name, value) in [
            ("host", "a"),
            ("x", "1"),
            ("empty", ""),
            ("accept", "*/*"),
            ("x", "2"),
        ] {
            request
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
        request
            .headers_mut()
            .append("odd", HeaderValue::from_bytes(b"\xe9").unwrap());
        let upgrade = HeaderValue::from_static("websocket");
        let (again, asked) = Spare::of(&request, Some(&upgrade)).into_parts();
        assert_eq!(
            (again.method(), again.uri()),
            (request.method(), request.uri())
        );
        assert!(again.headers().iter().eq(request.headers().iter()));
        assert_eq!(asked, Some(upgrade));
    }
}
