//! Access tokens for programs: `grant_type=client_credentials` (RFC 6749, section 4.4), where a user's name and API key
//! are client id and secret.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use super::client::{ClientReading, ShownClient};
use super::denial::LoginDenial;
use super::fields::ClientRequest;
use super::login::{LoginEvent, log_safe_name};
use super::login_api::LoginApi;
use super::{Portal, PortalReply};
use crate::token::{Holder, IssuedToken, KeyGrant, SignIn};
use crate::users::{ApiKey, User};
use crate::{ambient, wire};

/// RFC 6749, section 5.1. There is no refresh token (section 4.4.3): the program has its key.
#[derive(Serialize)]
struct ClientTokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

impl Portal {
    /// Keys are random, so wrong ones are counted and logged as failed logins, and hold no account: nobody guesses 256
    /// bits, and nobody is to lock a program out by its name.
    pub(super) fn answer_client(
        &self,
        request: ClientRequest,
        headers: &HeaderMap,
        now: u64,
    ) -> PortalReply {
        let ClientRequest { client, scope } = request;
        let shown = match ShownClient::read(headers, client) {
            Ok(shown) => shown,
            Err(rejection) => return rejection.into_response(LoginApi::Token).into(),
        };
        let Some(shown) = shown else {
            return LoginDenial::Client.into_response(LoginApi::Token).into();
        };
        let issued = self.issue_for(&shown, now);
        let response = match &issued {
            Ok(issued) => response(issued, scope.as_ref().map(|scope| scope.as_str())),
            Err(denial) => denial.into_response(LoginApi::Token),
        };
        PortalReply {
            response,
            login: Some(LoginEvent {
                user: log_safe_name(shown.id()),
                outcome: issued.map(drop),
                second_factor: None,
            }),
            ..PortalReply::default()
        }
    }

    fn issue_for(&self, shown: &ShownClient, now: u64) -> Result<IssuedToken, LoginDenial> {
        let mut readings = shown.readings().iter();
        let found = readings.find_map(|reading| self.key_shown(reading, now));
        let (user, key) = found.ok_or(LoginDenial::Client)?;
        let identity = &key.identity;
        let holder = Holder {
            subject: &identity.subject,
            roles: &identity.roles,
            name: identity.name.as_deref(),
            email: identity.email.as_deref(),
            claims: user.extras().claims.as_deref(),
            session: None,
            // nobody has signed in
            sign_in: SignIn::default(),
        };
        let fingerprint = key.digest.fingerprint();
        let grant = KeyGrant {
            fingerprint: &fingerprint,
            expires_at: key.expires_at,
        };
        let id = ambient::random_bytes();
        Ok(self.issuer.issue_for_key(&holder, grant, id, now)?)
    }

    /// The key, if it is good now and of the user who is named.
    pub(super) fn key_shown(&self, reading: &ClientReading, now: u64) -> Option<(&User, &ApiKey)> {
        let (user, key) = self.directory.find_key_holder(&reading.secret, now).ok()?;
        (*user.identity.subject == **reading.id).then_some((user, key))
    }
}

fn response(issued: &IssuedToken, scope: Option<&str>) -> Response<Bytes> {
    let body = ClientTokenBody {
        access_token: &issued.token,
        token_type: "bearer",
        expires_in: issued.expires_in,
        scope,
    };
    wire::json(StatusCode::OK, &body)
}
