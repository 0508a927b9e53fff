//! What is kept of a request that may have to be sent again.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::body::RequestBody;
use super::outbound::Outbound;

/// A request without a body, to be sent a second time if need be. Nearly all are kept in vain, so that it is made to be made
/// quickly: the values are one text, where a copy of each would count references up and down, and how the names were
/// spelled is not kept.
pub(super) struct Spare {
    method: Method,
    uri: Uri,
    /// Each name, and where its value ends in `values`.
    names: Vec<(HeaderName, usize)>,
    values: Vec<u8>,
    upgrade: Option<HeaderValue>,
}

/// Bytes that the values of most requests fit into.
const USUAL_VALUES: usize = 512;

impl Spare {
    pub(super) fn of(request: &Request<RequestBody>, upgrade: Option<&HeaderValue>) -> Self {
        let fields = request.headers();
        let (mut names, mut values) = (Vec::with_capacity(fields.len()), Vec::with_capacity(USUAL_VALUES));
        for (name, value) in fields {
            values.extend_from_slice(value.as_bytes());
            names.push((name.clone(), values.len()));
        }
        Self { method: request.method().clone(), uri: request.uri().clone(), names, values, upgrade: upgrade.cloned() }
    }

    fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(self.names.len());
        let mut start = 0;
        for (name, end) in &self.names {
            let value = HeaderValue::from_bytes(&self.values[start..*end]).expect("it was the value of a field");
            fields.append(name, value);
            start = *end;
        }
        fields
    }
}

impl From<Spare> for Outbound {
    fn from(spare: Spare) -> Self {
        let mut request = Request::new(RequestBody::empty());
        *request.headers_mut() = spare.fields();
        *request.method_mut() = spare.method;
        *request.uri_mut() = spare.uri;
        Outbound::again(request, spare.upgrade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_again_is_what_was_sent() {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = Uri::from_static("/a?b=c");
        for (name, value) in [("host", "a"), ("x", "1"), ("empty", ""), ("accept", "*/*"), ("x", "2")] {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        request.headers_mut().append("odd", HeaderValue::from_bytes(b"\xe9").unwrap());
        let upgrade = HeaderValue::from_static("websocket");
        let (again, asked) = Outbound::from(Spare::of(&request, Some(&upgrade))).into_parts();
        assert_eq!((again.method(), again.uri()), (request.method(), request.uri()));
        assert!(again.headers().iter().eq(request.headers().iter()));
        assert_eq!(asked, Some(upgrade));
    }
}
