//! Tells callers who they are.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::access::{Claim, ClaimValue, Identity};
use crate::token::{SessionId, SignIn};
use crate::users::NEVER;
use crate::wire::{self, Challenges};

/// Who sent a request to the portal, as the identify step found out.
#[derive(Clone, Debug)]
pub enum PortalCaller {
    /// The request carried no credential.
    Anonymous,
    /// It carried one that does not hold. Why, in the characters of [`wire::invalid_token`].
    Rejected(&'static str),
    /// It carried one that holds.
    Known {
        /// Whom it names, with the roles of today.
        identity: Arc<Identity>,
        /// Until when it holds, in seconds since 1970.
        expires_at: u64,
        /// The session it belongs to; `None`: to none of ours, as an API key or a token of another issuer.
        session: Option<SessionId>,
        /// How they signed in; `None` as for the session.
        sign_in: Option<SignIn>,
    },
}

#[derive(Serialize)]
struct Me<'a> {
    sub: &'a str,
    roles: &'a [Box<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    claims: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
}

pub(super) fn answer(caller: &PortalCaller, challenges: &Challenges) -> Response<Bytes> {
    match caller {
        PortalCaller::Anonymous => challenges.not_authenticated(),
        PortalCaller::Rejected(why) => challenges.invalid_token(why),
        PortalCaller::Known {
            identity,
            expires_at,
            ..
        } => wire::json(StatusCode::OK, &describe(identity, *expires_at)),
    }
}

fn describe(identity: &Identity, expires_at: u64) -> Me<'_> {
    Me {
        sub: &identity.subject,
        roles: &identity.roles,
        name: identity.name.as_deref(),
        email: identity.email.as_deref(),
        claims: identity
            .claims
            .iter()
            .map(|claim| (claim.name.to_string(), value_of(claim)))
            .collect(),
        exp: Some(expires_at).filter(|end| *end < NEVER),
    }
}

/// An identity does not tell a list of one value from the value itself; the plain value is the likelier reading.
fn value_of(claim: &Claim) -> Value {
    match &*claim.values {
        [value] => scalar(value),
        values => values.iter().map(scalar).collect(),
    }
}

fn scalar(value: &ClaimValue) -> Value {
    match value {
        ClaimValue::Text(text) => Value::from(&**text),
        ClaimValue::Integer(number) => Value::from(*number),
        ClaimValue::Boolean(truth) => Value::from(*truth),
    }
}
