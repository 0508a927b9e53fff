//! What a decision is made about, beside the request line.

use std::sync::Arc;

use super::client_address::ClientAddress;
use super::identity::Identity;

/// The subject of a decision: an identity, if there is one, and an address. Anyone may describe one to simulate or
/// explain a request; a request is forwarded for a [`super::Caller`] only.
#[derive(Clone, Debug)]
pub struct AccessSubject {
    who: Who,
    address: ClientAddress,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    Anonymous,
    Rejected,
    Known(Arc<Identity>),
}

impl AccessSubject {
    /// Nobody: the request has no credential.
    pub fn anonymous(address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Anonymous,
            address: address.into(),
        }
    }

    /// Nobody: the request has a credential that is not valid.
    pub fn rejected(address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Rejected,
            address: address.into(),
        }
    }

    /// The holder of a valid credential.
    pub fn known(identity: Arc<Identity>, address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Known(identity),
            address: address.into(),
        }
    }

    /// The identity, if there is one.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match &self.who {
            Who::Known(identity) => Some(identity),
            Who::Anonymous | Who::Rejected => None,
        }
    }

    /// The client's address; where it is unknown, no `networks` condition holds.
    pub fn address(&self) -> ClientAddress {
        self.address
    }

    pub(super) fn who(&self) -> &Who {
        &self.who
    }
}
