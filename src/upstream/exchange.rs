//! The result of an exchange with a server.

use http::Response;

use super::attempt::Switched;
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

/// An answer with one reading of its length.
pub(super) fn settled(
    mut response: Response<hyper::body::Incoming>,
    lease: ConnectionLease,
) -> Result<Response<ResponseBody>, ForwardError> {
    match settle_response(response.headers_mut()) {
        Ok(()) => Ok(response.map(|body| ResponseBody::new(body, lease))),
        Err(what) => Err(ForwardError::Protocol(what.to_string())),
    }
}
