//! The end of a session.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use zeroize::Zeroizing;

use super::body_format::{BodyFormat, is_browser_form};
use super::denial::RefreshDenial;
use super::fields::{FormExtras, parse_logout};
use super::login_api::LoginApi;
use super::me::PortalCaller;
use super::page::see_other;
use super::refresh::SessionEvent;
use super::rejection::FormRejection;
use super::{Portal, PortalReply, ReceivedBody};
use crate::pages::Theme;
use crate::session::{RefreshToken, StoreUnavailable};
use crate::token::SessionId;
use crate::wire::{self, Credential, Intake};

/// What people are told who want to sign out while nobody can be told that their session has ended.
const AWAY: &str = "You are signed out in this browser, but the session could not be ended everywhere. It ends by itself; \
                    until then somebody with a copy of it could go on.";

/// The same where the browser sends more cookies of the name than are read.
const TOO_MANY_ON_PAGE: &str = "Your browser sent too many cookies of this site, and not every session could be ended. \
                                Delete the cookies of this site.";

/// The same where the request has a credential beside the cookie.
const ONLY_COOKIES_ON_PAGE: &str = "The session in this browser has ended, but something adds another credential to your \
                                    requests, which is still accepted.";

/// What programs are told in these cases.
const TOO_MANY_COOKIES: &str =
    "There are too many cookies of the session's name: not every session could be ended";
const ONLY_COOKIES: &str =
    "The credential belongs to no session of this gateway; the session of the cookie has ended";

/// How a logout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// There was nothing to end.
    Nothing,
    /// What the request showed is over.
    Everything,
    /// The store is away: some of it may go on.
    Away,
    /// There were more cookies than are read.
    TooManyCookies,
    /// The sessions of its cookies are over, and beside them stands a credential that ends elsewhere.
    OnlyCookies,
}

/// What a logout is to end.
struct Shown {
    sessions: Vec<SessionId>,
    /// As it was sent.
    refresh: Option<Zeroizing<String>>,
}

impl Portal {
    /// Ends the session of every credential that the request shows, valid at this moment or not: of each cookie, of the
    /// bearer token, and of the refresh token in the body. A refresh token that is not known any more counts as logged
    /// out already (RFC 7009, section 2.2), and so does a browser whose sessions are over. A cookie that none of the
    /// keys has signed is no session, and there is nothing in it to end.
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
        let is_own = theme.is_none() && (intake.from_allowed_page || !intake.acts_by_cookies());
        if !is_own && let Err(foreign) = intake.site.check_sender(&head.headers) {
            let problem = wire::problem(StatusCode::FORBIDDEN, wire::CROSS_ORIGIN);
            return PortalReply::refused(problem, format!("cross-origin: {foreign}"));
        }
        match theme {
            Some(theme) => self.sign_out(theme, intake, body, caller, now).await,
            None => self.end(intake, body, caller, now).await,
        }
    }

    /// For programs.
    async fn end(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        caller: &PortalCaller,
        now: u64,
    ) -> PortalReply {
        let refresh = match read(&intake.head, body) {
            Ok(refresh) => refresh,
            Err(rejection) => return rejection.into_response(LoginApi::Refresh).into(),
        };
        let shown = Shown {
            sessions: self.sessions_of(intake, caller, now),
            refresh,
        };
        let (ending, session) = self.end_shown(&shown, intake, caller, now).await;
        let mut response = match ending {
            Ending::Nothing => nothing_ended(intake, caller),
            Ending::Everything => no_content(),
            Ending::Away => RefreshDenial::Away.into_response(LoginApi::Refresh),
            Ending::TooManyCookies => wire::problem(StatusCode::BAD_REQUEST, TOO_MANY_COOKIES),
            Ending::OnlyCookies => wire::problem(StatusCode::BAD_REQUEST, ONLY_COOKIES),
        };
        // where the store is away, the browser keeps what it needs to try again
        let is_over = response.status().is_success()
            || matches!(ending, Ending::TooManyCookies | Ending::OnlyCookies);
        if is_over && !intake.cookies.is_empty() {
            self.forget(intake, response.headers_mut());
        }
        PortalReply {
            response,
            session,
            ..PortalReply::default()
        }
    }

    /// For people.
    async fn sign_out(
        &self,
        theme: &Theme,
        intake: &Intake,
        body: ReceivedBody,
        caller: &PortalCaller,
        now: u64,
    ) -> PortalReply {
        let leaving = self.provider_to_leave(intake, now);
        // it is forgotten with the session
        let id_token = match leaving {
            Some((_, session)) => self.id_token(session).await,
            None => None,
        };
        let shown = Shown {
            sessions: self.sessions_of(intake, caller, now),
            // the page's own form has none; what is no form shows no session
            refresh: read(&intake.head, body).ok().flatten(),
        };
        let (ending, session) = self.end_shown(&shown, intake, caller, now).await;
        let page = |status, words| self.refuse(theme, status, words, &FormExtras::default());
        let mut response = match ending {
            Ending::Nothing | Ending::Everything => leaving
                .and_then(|(provider, _)| {
                    let id_token = id_token.as_ref().map(|token| token.as_str());
                    self.leave_provider(theme, provider, id_token, intake)
                })
                .or_else(|| see_other(&self.signed_out_path()))
                .unwrap_or_else(no_content),
            Ending::Away => {
                let plain = RefreshDenial::Away.into_response(LoginApi::Refresh);
                let mut page = page(plain.status(), AWAY);
                let when = plain.headers().get(RETRY_AFTER);
                page.headers_mut()
                    .extend(when.map(|when| (RETRY_AFTER, when.clone())));
                page
            }
            Ending::TooManyCookies => page(StatusCode::BAD_REQUEST, TOO_MANY_ON_PAGE),
            Ending::OnlyCookies => page(StatusCode::BAD_REQUEST, ONLY_COOKIES_ON_PAGE),
        };
        self.forget(intake, response.headers_mut());
        PortalReply {
            response,
            session,
            ..PortalReply::default()
        }
    }

    /// Takes the gateway's cookies away from the browser.
    fn forget(&self, intake: &Intake, headers: &mut HeaderMap) {
        let (cookie, scheme) = (&self.settings.cookie, intake.site.scheme);
        headers.append(SET_COOKIE, cookie.clear(scheme));
        for line in cookie.clear_others(&intake.cookies, scheme) {
            headers.append(SET_COOKIE, line);
        }
        headers.append(SET_COOKIE, cookie.mark(scheme, "", 0));
    }

    /// The sessions of all cookies and of the bearer token that have not ended yet, each once.
    fn sessions_of(&self, intake: &Intake, caller: &PortalCaller, now: u64) -> Vec<SessionId> {
        // whichever of the two has identified the caller
        let field = Credential::read(&intake.head.headers, intake.present);
        let field = field.ok().flatten();
        let mut sessions =
            self.sessions_named_by(intake.cookies.sessions().chain(field.as_ref()), now);
        if let PortalCaller::Known {
            session: Some(session),
            ..
        } = caller
        {
            sessions.push(*session);
        }
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// The sessions of these credentials that have not ended yet.
    fn sessions_named_by<'c>(
        &self,
        credentials: impl Iterator<Item = &'c Credential>,
        now: u64,
    ) -> Vec<SessionId> {
        credentials
            .filter_map(|credential| self.browsers.named_by(credential.token(), now))
            .filter(|session| !self.sessions.has_ended(session))
            .collect()
    }

    /// Ends the sessions of a browser that signs in anew: whoever has a copy of the cookie that is replaced has nothing.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then they may go on.
    pub(super) async fn end_replaced(
        &self,
        intake: &Intake,
        now: u64,
    ) -> Result<(), StoreUnavailable> {
        let mut replaced = self.sessions_named_by(intake.cookies.sessions(), now);
        replaced.sort_unstable();
        replaced.dedup();
        self.sessions.end_all(&replaced, self.times(now)).await
    }

    async fn end_shown(
        &self,
        shown: &Shown,
        intake: &Intake,
        caller: &PortalCaller,
        now: u64,
    ) -> (Ending, Option<SessionEvent>) {
        let Shown { sessions, refresh } = shown;
        let times = self.times(now);
        let ended = if sessions.is_empty() && refresh.is_none() {
            None
        } else {
            let mut ended = self.sessions.end_all(sessions, times).await;
            let token = refresh
                .as_deref()
                .and_then(|sent| RefreshToken::parse(sent, self.browsers.signer()));
            if let Some(token) = token {
                ended = ended.and(self.sessions.leave(&token, times).await);
            }
            Some(ended)
        };
        let stays = matches!(caller, PortalCaller::Known { session: None, .. });
        let ending = match ended {
            Some(Err(StoreUnavailable)) => Ending::Away,
            _ if intake.cookies.has_more() => Ending::TooManyCookies,
            Some(Ok(())) if stays && refresh.is_none() => Ending::OnlyCookies,
            Some(Ok(())) => Ending::Everything,
            None => Ending::Nothing,
        };
        (ending, ended.map(SessionEvent::Logout))
    }
}

/// Who wants to log out without anything to end.
fn nothing_ended(intake: &Intake, caller: &PortalCaller) -> Response<Bytes> {
    match caller {
        PortalCaller::Known { session: None, .. } => no_session(),
        PortalCaller::Known { .. } => no_content(),
        PortalCaller::Rejected(why) if intake.has_field_credential() => {
            wire::Challenges::default().invalid_token(why)
        }
        PortalCaller::Rejected(_) | PortalCaller::Anonymous if intake.cookies.has_sessions() => {
            no_content()
        }
        PortalCaller::Rejected(_) | PortalCaller::Anonymous => {
            wire::Challenges::default().not_authenticated()
        }
    }
}

/// The refresh token of the body, which may be empty.
fn read(head: &Parts, body: ReceivedBody) -> Result<Option<Zeroizing<String>>, FormRejection> {
    let bytes = body.whole()?;
    match LoginApi::Refresh.format(&head.headers) {
        Some(BodyFormat::Json) if bytes.is_empty() => Ok(None),
        Some(format) => parse_logout(&format, &bytes),
        None if bytes.is_empty() && !head.headers.contains_key(CONTENT_TYPE) => Ok(None),
        None => Err(FormRejection::ContentType),
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
