//! The end of a session.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use zeroize::Zeroizing;

use super::fields::{Format, parse_logout};
use super::login::Dialect;
use super::me::PortalCaller;
use super::refresh::{RefreshDenial, SessionEvent};
use super::rejection::Rejection;
use super::{Portal, PortalReply, body};
use crate::session::{Away, RefreshToken};
use crate::wire;

impl Portal {
    /// Ends the session of the caller's token, and that of the refresh token in the body, where there is one. A refresh
    /// token that is not known any more counts as logged out already (RFC 7009, section 2.2).
    pub(super) async fn log_out<B>(&self, head: &Parts, body: B, caller: &PortalCaller, now: u64) -> PortalReply
    where
        B: Body<Data = Bytes>,
    {
        let shown = match read(head, body).await {
            Ok(shown) => shown,
            Err(rejection) => return rejection.into_response(Dialect::Refresh).into(),
        };
        match (caller, &shown) {
            (PortalCaller::Anonymous, None) => return wire::not_authenticated().into(),
            (PortalCaller::Rejected(why), None) => return wire::invalid_token(why).into(),
            (PortalCaller::Known { session: None, .. }, None) => return no_session().into(),
            (PortalCaller::Known { .. }, _) | (_, Some(_)) => {}
        }
        let ended = self.end_sessions(caller, shown.as_deref(), now).await;
        let response = match ended {
            Ok(()) => no_content(),
            Err(Away) => RefreshDenial::Away.into_response(Dialect::Refresh),
        };
        PortalReply { response, login: None, session: Some(SessionEvent::Logout(ended)) }
    }

    async fn end_sessions(&self, caller: &PortalCaller, shown: Option<&String>, now: u64) -> Result<(), Away> {
        let times = self.times(now);
        if let PortalCaller::Known { session: Some(session), .. } = caller {
            self.sessions.end(*session, times).await?;
        }
        match shown.and_then(|shown| RefreshToken::parse(shown)) {
            Some(token) => self.sessions.leave(&token, times).await,
            None => Ok(()),
        }
    }
}

/// The refresh token of the body, which may be empty.
async fn read<B>(head: &Parts, body: B) -> Result<Option<Zeroizing<String>>, Rejection>
where
    B: Body<Data = Bytes>,
{
    let bytes = body::read(body, body::DEADLINE).await?;
    match Format::of(&head.headers) {
        Some(Format::Json) if bytes.is_empty() => Ok(None),
        Some(format) => parse_logout(format, &bytes),
        None if bytes.is_empty() && !head.headers.contains_key(CONTENT_TYPE) => Ok(None),
        None => Err(Rejection::ContentType),
    }
}

/// To say that it is logged out would be a lie: an API key ends in the user list, a token with its issuer.
fn no_session() -> Response<Bytes> {
    wire::problem(StatusCode::BAD_REQUEST, "The credential belongs to no session of this gateway")
}

fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
