//! What a decision is made about, beside the request line.

use std::sync::Arc;

use super::authentication::Authentication;
use super::client_address::ClientAddress;
use super::identity::Identity;

/// The subject of a decision: an identity, if there is one, and an address. Anyone may describe one to simulate or
/// explain a request; a request is forwarded for a [`super::Caller`] only.
#[derive(Clone, Debug)]
pub struct AccessSubject {
    who: Who,
    address: ClientAddress,
    authentication: Authentication,
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
            authentication: Authentication::default(),
        }
    }

    /// Nobody: the request has a credential that is not valid.
    pub fn rejected(address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Rejected,
            address: address.into(),
            authentication: Authentication::default(),
        }
    }

    /// The holder of a valid credential, who has not signed in.
    pub fn known(identity: Arc<Identity>, address: impl Into<ClientAddress>) -> Self {
        Self {
            who: Who::Known(identity),
            address: address.into(),
            authentication: Authentication::default(),
        }
    }

    /// The same, authenticated so.
    #[must_use]
    pub fn authenticated(self, authentication: Authentication) -> Self {
        Self {
            authentication,
            ..self
        }
    }

    /// When and how the holder of the credential has signed in.
    pub fn authentication(&self) -> Authentication {
        self.authentication
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
