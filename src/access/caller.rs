//! Who stands in front of the gateway, as a sealed answer of the identify step.

use std::sync::Arc;

use super::client_address::ClientAddress;
use super::identity::Identity;

/// The outcome of looking at a request's credential. It is never an error: a bad credential is a kind of caller.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    address: ClientAddress,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    Anonymous,
    Rejected,
    Known(Arc<Identity>),
}

impl Caller {
    /// Nobody: the request carried no credential.
    pub fn anonymous(address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Anonymous,
            address: address.into(),
        }
    }

    /// Nobody: the request carried a credential that does not hold.
    pub fn rejected(address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Rejected,
            address: address.into(),
        }
    }

    /// Somebody whose credential was verified.
    pub fn known(identity: Arc<Identity>, address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Known(identity),
            address: address.into(),
        }
    }

    /// The verified identity, if there is one.
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
