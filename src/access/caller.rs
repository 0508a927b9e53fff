//! Who stands in front of the gateway, as a sealed answer of the identify step.

use std::net::IpAddr;
use std::sync::Arc;

use super::identity::Identity;

/// The outcome of looking at a request's credential. It is never an error: a bad credential is a kind of caller.
#[derive(Clone, Debug)]
pub struct Caller {
    who: Who,
    address: Option<IpAddr>,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    Anonymous,
    Rejected,
    Known(Arc<Identity>),
}

impl Caller {
    /// Nobody: the request carried no credential. `address` is the client's, where it is known.
    pub fn anonymous(address: Option<IpAddr>) -> Self {
        Self {
            who: Who::Anonymous,
            address,
        }
    }

    /// Nobody: the request carried a credential that does not hold.
    pub fn rejected(address: Option<IpAddr>) -> Self {
        Self {
            who: Who::Rejected,
            address,
        }
    }

    /// Somebody whose credential was verified.
    pub fn known(identity: Arc<Identity>, address: Option<IpAddr>) -> Self {
        Self {
            who: Who::Known(identity),
            address,
        }
    }

    /// The verified identity, if there is one.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match &self.who {
            Who::Known(identity) => Some(identity),
            Who::Anonymous | Who::Rejected => None,
        }
    }

    /// The client's address; without one, no `networks` condition holds.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(super) fn who(&self) -> &Who {
        &self.who
    }
}
