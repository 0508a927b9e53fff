//! The result of an exchange with a server.

use std::rc::Rc;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Response};

use super::attempt::Switched;
use super::body::BodyExchange;
use super::error::ForwardError;
use super::lease::ConnectionLease;
use super::response_body::ResponseBody;
use crate::text::list;
use crate::wire::settle_response;

/// The reply of a server.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every reply is an answer, and a box would be an allocation for each"
)]
pub enum UpstreamReply {
    /// An ordinary answer.
    Answer(Response<ResponseBody>),
    /// The requested switch to another protocol.
    Switched(Box<Switched>),
}

/// An answer with one reading of its length. `request` is the request's body, where it has one.
pub(super) fn settled(
    mut response: Response<hyper::body::Incoming>,
    lease: ConnectionLease,
    request: Option<Rc<BodyExchange>>,
) -> Result<Response<ResponseBody>, ForwardError> {
    let may_rest = is_only_chunked(response.headers());
    match settle_response(response.headers_mut()) {
        Ok(()) => Ok(response.map(|body| ResponseBody::new(body, lease, request, may_rest))),
        Err(what) => Err(ForwardError::Protocol(what.to_string())),
    }
}

/// Whether a body is framed by its chunks and by nothing else, and its connection stays.
fn is_only_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        && !headers.contains_key(CONTENT_LENGTH)
        && !list::names(headers, CONNECTION, "close")
}
