//! The end of a session.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use zeroize::Zeroizing;

use super::fields::{FormExtras, Format, parse_logout};
use super::login::Dialect;
use super::me::PortalCaller;
use super::refresh::{RefreshDenial, SessionEvent};
use super::rejection::Rejection;
use super::sign_in::{is_browser_form, see_other};
use super::{Portal, PortalReply, ReceivedBody};
use crate::pages::Theme;
use crate::session::{Away, RefreshToken};
use crate::wire::{self, Intake};

/// What people are told who want to sign out while nobody can be told that their session has ended.
const AWAY: &str = "You are signed out in this browser, but the session could not be ended everywhere. It ends by itself; \
                    until then somebody with a copy of it could go on.";

impl Portal {
    /// Ends the session of the caller's credential, and that of the refresh token in the body, where there is one. A
    /// refresh token that is not known any more counts as logged out already (RFC 7009, section 2.2), and so does a
    /// browser whose session is over.
    pub(super) async fn log_out(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        caller: &PortalCaller,
        now: u64,
    ) -> PortalReply {
        let head = &intake.head;
        let theme = self
            .settings
            .theme
            .as_deref()
            .filter(|_| is_browser_form(&head.method, &head.headers));
        if (theme.is_some() || intake.rides_on_cookie()) && !intake.site.sends(&head.headers) {
            return wire::problem(StatusCode::FORBIDDEN, wire::CROSS_ORIGIN).into();
        }
        let mut reply = match theme {
            Some(theme) => self.sign_out(theme, caller, now).await,
            None => self.end(intake, body, caller, now).await,
        };
        if theme.is_some() || (reply.response.status().is_success() && !intake.crumbs.is_empty()) {
            self.forget(intake, reply.response.headers_mut());
        }
        reply
    }

    /// For programs.
    async fn end(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        caller: &PortalCaller,
        now: u64,
    ) -> PortalReply {
        let shown = match read(&intake.head, body) {
            Ok(shown) => shown,
            Err(rejection) => return rejection.into_response(Dialect::Refresh).into(),
        };
        match (caller, &shown) {
            (PortalCaller::Anonymous, None) => return wire::not_authenticated().into(),
            (PortalCaller::Rejected(_), None) if intake.rides_on_cookie() => {
                return no_content().into();
            }
            (PortalCaller::Rejected(why), None) => return wire::invalid_token(why).into(),
            (PortalCaller::Known { session: None, .. }, None) => return no_session().into(),
            (PortalCaller::Known { .. }, _) | (_, Some(_)) => {}
        }
        let ended = self.end_sessions(caller, shown.as_deref(), now).await;
        let response = match ended {
            Ok(()) => no_content(),
            Err(Away) => RefreshDenial::Away.into_response(Dialect::Refresh),
        };
        PortalReply {
            response,
            login: None,
            session: Some(SessionEvent::Logout(ended)),
        }
    }

    /// For people.
    async fn sign_out(&self, theme: &Theme, caller: &PortalCaller, now: u64) -> PortalReply {
        let known = matches!(
            caller,
            PortalCaller::Known {
                session: Some(_),
                ..
            }
        );
        let ended = if known {
            Some(self.end_sessions(caller, None, now).await)
        } else {
            None
        };
        let response = match ended {
            Some(Err(Away)) => {
                let plain = RefreshDenial::Away.into_response(Dialect::Refresh);
                let mut page = self.refuse(theme, plain.status(), AWAY, &FormExtras::default());
                page.headers_mut().extend(
                    plain
                        .headers()
                        .get(RETRY_AFTER)
                        .map(|when| (RETRY_AFTER, when.clone())),
                );
                page
            }
            Some(Ok(())) | None => see_other(&self.signed_out_path()).unwrap_or_else(no_content),
        };
        PortalReply {
            response,
            login: None,
            session: ended.map(SessionEvent::Logout),
        }
    }

    /// Takes the gateway's cookies away from the browser.
    fn forget(&self, intake: &Intake, headers: &mut HeaderMap) {
        let cookie = &self.settings.cookie;
        headers.append(SET_COOKIE, cookie.clear(intake.site.scheme));
        headers.append(SET_COOKIE, cookie.mark("", 0));
    }

    async fn end_sessions(
        &self,
        caller: &PortalCaller,
        shown: Option<&String>,
        now: u64,
    ) -> Result<(), Away> {
        let times = self.times(now);
        if let PortalCaller::Known {
            session: Some(session),
            ..
        } = caller
        {
            self.sessions.end(*session, times).await?;
        }
        match shown.and_then(|shown| RefreshToken::parse(shown)) {
            Some(token) => self.sessions.leave(&token, times).await,
            None => Ok(()),
        }
    }
}

/// The refresh token of the body, which may be empty.
fn read(head: &Parts, body: ReceivedBody) -> Result<Option<Zeroizing<String>>, Rejection> {
    let bytes = body.whole()?;
    match Format::of(&head.headers) {
        Some(Format::Json) if bytes.is_empty() => Ok(None),
        Some(format) => parse_logout(format, &bytes),
        None if bytes.is_empty() && !head.headers.contains_key(CONTENT_TYPE) => Ok(None),
        None => Err(Rejection::ContentType),
    }
}

/// To say that it is logged out would be a lie: an API key ends in the user list, a token with its issuer.
fn no_session() -> Response<Bytes> {
    wire::problem(
        StatusCode::BAD_REQUEST,
        "The credential belongs to no session of this gateway",
    )
}

fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
