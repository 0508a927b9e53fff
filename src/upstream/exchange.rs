//! The result of an exchange with a server.

use std::rc::Rc;

use http::Response;

use super::attempt::Switched;
use super::body::BodyExchange;
use super::error::ForwardError;
use super::lease::ConnectionLease;
use super::response_body::ResponseBody;
use crate::wire::settle_response;

/// The reply of a server.
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
    match settle_response(response.headers_mut()) {
        Ok(()) => Ok(response.map(|body| ResponseBody::new(body, lease, request))),
        Err(what) => Err(ForwardError::Protocol(what.to_string())),
    }
}
