//! What is kept of a request while the upstream works.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, Method, Request};

use super::body::{BodyExchange, RequestBody};
use super::outbound::hear_interim;
use super::spare::Spare;
use crate::wire::Interim;

/// What is kept of a request while the upstream works.
pub(super) struct KeptRequest {
    pub(super) spare: Option<Spare>,
    /// The protocol to switch to.
    pub(super) upgrade: Option<HeaderValue>,
    /// Shared with its body, where it has one.
    pub(super) exchange: Option<Rc<BodyExchange>>,
    pub(super) is_head: bool,
    /// Where interim answers go.
    pub(super) interim: Option<Arc<Interim>>,
}

impl KeptRequest {
    /// A request to which answers are read as to this one. It is for hyper alone, and never written.
    pub(super) fn stand_in(&self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = match self.is_head {
            true => Method::HEAD,
            false => Method::GET,
        };
        hear_interim(&mut request, None, self.interim.clone());
        request
    }

    /// Whether nothing of the request is still to be sent, and none is expected but an answer.
    pub(super) fn is_sent(&self) -> bool {
        let is_sent = |exchange: &Rc<BodyExchange>| !exchange.is_unfinished();
        self.upgrade.is_none() && self.exchange.as_ref().is_none_or(is_sent)
    }
}
