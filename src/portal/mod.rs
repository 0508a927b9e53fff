//! The gateway's own endpoints: logging in and out, asking for tokens, asking who one is, and with which keys tokens are
//! verified.
//!
//! `endpoint` says which requests are the gateway's, `body` and `fields` read what was sent, `login`, `refresh`,
//! `logout` and `me` answer, and `rejection` is the one table from what went wrong to status and text.

mod body;
mod endpoint;
mod fields;
mod form;
mod keys;
mod login;
mod logout;
mod me;
mod refresh;
mod rejection;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body;

pub use endpoint::Endpoint;
pub use login::{Denial, LoginEvent};
pub use me::PortalCaller;
pub use refresh::{RefreshDenial, SessionEvent};

use self::login::Dialect;
use crate::session::{AttemptLimits, Away, Lift, Sessions};
use crate::token::Issuer;
use crate::users::{Directory, Hasher};
use crate::wire::{self, OwnPaths};

/// What the endpoints are told by the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalSettings {
    /// Which requests are the gateway's own.
    pub own: OwnPaths,
    /// The JSON Web Key Set with the public keys. Default: an empty set.
    pub jwks: Bytes,
    /// How many failed logins are too many.
    pub attempts: AttemptLimits,
    /// How long a refresh token is good, in whole seconds; default 7 d.
    pub refresh_ttl: Duration,
    /// The longest that any access token may hold from now, leeway included, in whole seconds; default 24 h and 30 s.
    /// For so long it is remembered that a session has ended.
    pub longest_token: Duration,
}

/// The gateway's own endpoints, for one load of the configuration.
#[derive(Debug)]
pub struct Portal {
    settings: PortalSettings,
    directory: Arc<Directory>,
    issuer: Issuer,
    hasher: Hasher,
    sessions: Sessions,
}

/// The answer, and what the log should know.
#[derive(Debug)]
pub struct PortalReply {
    /// What the client gets. `HEAD` is answered without a body, with the length that `GET` would have.
    pub response: Response<Bytes>,
    /// Set where a password was given, whether it was right or not.
    pub login: Option<LoginEvent>,
    /// Set where a refresh token was shown, or somebody logged out.
    pub session: Option<SessionEvent>,
}

impl Default for PortalSettings {
    fn default() -> Self {
        Self {
            own: OwnPaths::default(),
            jwks: Bytes::from_static(br#"{"keys":[]}"#),
            attempts: AttemptLimits::default(),
            refresh_ttl: Duration::from_secs(7 * 24 * 3600),
            longest_token: Duration::from_secs(24 * 3600 + 30),
        }
    }
}

impl Portal {
    /// The portal to the users of `directory`.
    pub fn new(
        settings: PortalSettings,
        directory: Arc<Directory>,
        issuer: Issuer,
        hasher: Hasher,
        sessions: Sessions,
    ) -> Self {
        Self { settings, directory, issuer, hasher, sessions }
    }

    /// Lifts a lockout, for an operator.
    ///
    /// # Errors
    /// [`Away`]; then it may still be in force.
    pub async fn lift_lockout(&self, lift: Lift<'_>) -> Result<(), Away> {
        self.sessions.lift(lift).await
    }

    /// Which requests it answers.
    pub fn own_paths(&self) -> &OwnPaths {
        &self.settings.own
    }

    /// Which endpoint a request of its own is for. `path` is the parsed path.
    pub fn endpoint(&self, method: &Method, path: &str) -> Endpoint {
        endpoint::find(&self.settings.own, method, path)
    }

    /// Answers a request for one of the endpoints. `client` is where it comes from, `now` is in seconds since 1970.
    ///
    /// Bodies are read up to 64 KiB, for at most 10 s. Only [`Endpoint::Me`] and [`Endpoint::Logout`] look at the caller.
    pub async fn answer<B>(
        &self,
        endpoint: Endpoint,
        head: &Parts,
        body: B,
        caller: &PortalCaller,
        client: IpAddr,
        now: u64,
    ) -> PortalReply
    where
        B: Body<Data = Bytes>,
    {
        let mut reply = match Some(endpoint).filter(|endpoint| endpoint.takes(&head.method)) {
            None => method_not_allowed(endpoint).into(),
            Some(Endpoint::Login) => self.grant(Dialect::Login, head, body, client, now).await,
            Some(Endpoint::Token) => self.grant(Dialect::Token, head, body, client, now).await,
            Some(Endpoint::Refresh) => self.grant(Dialect::Refresh, head, body, client, now).await,
            Some(Endpoint::Logout) => self.log_out(head, body, caller, now).await,
            Some(Endpoint::Me) => me::answer(caller).into(),
            Some(Endpoint::Keys) => keys::answer(&self.settings.jwks).into(),
            Some(Endpoint::Unknown) => wire::problem(StatusCode::NOT_FOUND, "No such endpoint").into(),
        };
        if endpoint != Endpoint::Keys {
            wire::forbid_storing(reply.response.headers_mut());
        }
        if head.method == Method::HEAD {
            drop_body(&mut reply.response);
        }
        reply
    }
}

fn method_not_allowed(endpoint: Endpoint) -> Response<Bytes> {
    let mut response = wire::problem(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(endpoint.allow()));
    response
}

/// Not every version of HTTP leaves the body of an answer to `HEAD` out by itself.
fn drop_body(response: &mut Response<Bytes>) {
    let length = std::mem::take(response.body_mut()).len();
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
}

impl From<Response<Bytes>> for PortalReply {
    fn from(response: Response<Bytes>) -> Self {
        Self { response, login: None, session: None }
    }
}

#[cfg(test)]
mod tests;
