//! The answer with which client and upstream leave HTTP together.

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE, VIA};
use http::{HeaderValue, Response, StatusCode};

use super::downstream::Downstream;
use super::record::RequestRecord;
use super::reply::{Reply, ReplyBody, add_own_fields};
use super::tunnel::Tunnel;
use crate::upstream::Switched;
use crate::wire::{FieldPresence, UpgradeForm, remove_hop_by_hop, via};

/// An upstream that has switched, and the client that asked for it.
pub(super) struct Switch {
    pub(super) upstream: Box<Switched>,
    pub(super) downstream: Box<Downstream>,
}

impl Switch {
    /// The answer, and the tunnel behind it.
    pub(super) fn reply(self, mut record: Box<RequestRecord>) -> Reply {
        let Self {
            upstream,
            downstream,
        } = self;
        let Switched {
            head,
            io,
            held,
            load,
        } = *upstream;
        let mut response = Response::new(ReplyBody::none());
        *response.headers_mut() = head.headers;
        let present = FieldPresence::of(response.headers());
        remove_hop_by_hop(response.headers_mut(), present);
        record.snapshot().cookie.guard(response.headers_mut());
        response.headers_mut().append(VIA, via(head.version));
        *response.status_mut() = match downstream.upgrade.form {
            UpgradeForm::Field => {
                let protocol = downstream.upgrade.protocol.clone();
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("upgrade"));
                response.headers_mut().insert(UPGRADE, protocol);
                StatusCode::SWITCHING_PROTOCOLS
            }
            UpgradeForm::Connect => {
                // it answers the key that the gateway made up
                response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
                StatusCode::OK
            }
        };
        if let Some(protocol) = &downstream.protocol
            && !response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL)
        {
            let picked = protocol.clone();
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, picked);
        }
        add_own_fields(&record, response.headers_mut());
        record.status = Some(response.status().as_u16());
        Reply {
            response,
            tunnel: Some(Box::new(Tunnel::new(io, (held, load), *downstream, record))),
            is_own: false,
        }
    }
}
