//! The end of a token (RFC 7009), for clients, and for whoever has it.

use bytes::Bytes;
use http::Response;

use super::denial::RefreshDenial;
use super::fields::TokenQuery;
use super::introspect::read_query;
use super::login_api::LoginApi;
use super::refresh::SessionEvent;
use super::rejection::FormRejection;
use super::{Portal, PortalReply, ReceivedBody};
use crate::session::{RefreshToken, StoreUnavailable};
use crate::users::API_KEY_PREFIX;
use crate::wire::Intake;

impl Portal {
    /// Ends the session of a token, as a logout does: one that the token shares with a refresh token, or its own. Whoever can
    /// show a token may end it, as at logout; a client that shows a secret must show the right one. What is no token of the
    /// gateway is over already (RFC 7009, section 2.2).
    pub(super) async fn revoke(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        now: u64,
    ) -> PortalReply {
        let TokenQuery { token, client } = match read_query(intake, body) {
            Ok(query) => query,
            Err(rejection) => return rejection.into_response(LoginApi::Query).into(),
        };
        if let Err(reply) = self.check_client(&intake.head.headers, client, now) {
            return *reply;
        }
        if token.starts_with(API_KEY_PREFIX) {
            return FormRejection::ApiKey.into_response(LoginApi::Query).into();
        }
        let Some(ended) = self.end_token(&token, now).await else {
            return Response::new(Bytes::new()).into();
        };
        let response = match ended {
            Ok(()) => Response::new(Bytes::new()),
            Err(StoreUnavailable) => RefreshDenial::Away.into_response(LoginApi::Query),
        };
        PortalReply {
            response,
            session: Some(SessionEvent::Logout(ended)),
            ..PortalReply::default()
        }
    }

    /// `None` where there is nothing to end.
    async fn end_token(&self, token: &str, now: u64) -> Option<Result<(), StoreUnavailable>> {
        let times = self.times(now);
        if RefreshToken::is_claimed_by(token) {
            let token = RefreshToken::parse(token, self.browsers.signer())?;
            return Some(self.sessions.leave(&token, times).await);
        }
        let session = self.browsers.named_by(token, now)?;
        if self.sessions.has_ended(&session) {
            return None;
        }
        Some(self.sessions.end(session, times).await)
    }
}
