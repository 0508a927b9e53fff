//! Signing in with a browser: the page, its form, and the session cookie.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::denial::LoginDenial;
use super::fields::{FormExtras, LoginRequest, extras, parse_password};
use super::form;
use super::login::{LoginEvent, log_safe_name};
use super::login_api::LoginApi;
use super::redirect_loop::RedirectLoopGuard;
use super::return_path::ReturnPath;
use super::{Portal, PortalCaller, PortalReply, ReceivedBody};
use crate::ambient;
use crate::pages::{AccountPage, CookieMissing, RenderedPage, SignInPage, Theme};
use crate::token::{SessionId, SessionToken};
use crate::wire::{self, GatewayCookies, Intake, Site};

/// The most characters of a typed name that are shown again.
const SHOWN_CHARACTERS: usize = 255;

/// Says in the sign-in page's query that the browser has just been signed out.
const SIGNED_OUT: &str = "signed-out";

const FOREIGN: &str =
    "This form was not sent by the sign-in page of this site. Please try again here.";
const LOST: &str = "Your browser did not send it back. Cookies may be blocked, or the address may be of another host, or \
                    of http instead of https. Allow cookies for this site and open it by its usual address.";
const REFUSED: &str = "Your browser sent it back, and it was not accepted. Delete the cookies of this site. If that does \
                       not help, tell its operator: several gateways with different keys may answer under this address.";

/// A browser that has to sign in.
#[derive(Clone, Debug)]
pub struct Visitor<'a> {
    /// The requested origin.
    pub site: &'a Site,
    /// The gateway's cookies that it brought.
    pub cookies: &'a GatewayCookies,
    /// Where it wants to go; `None` where there is no safe way back.
    pub next: Option<ReturnPath>,
}

impl Portal {
    /// The sign-in page's path, from where the browser comes back.
    pub fn sign_in_path(&self, next: Option<&ReturnPath>) -> String {
        let prefix = &self.settings.own.prefix;
        match next {
            Some(next) => format!("{prefix}/login?next={}", next.encoded()),
            None => format!("{prefix}/login"),
        }
    }

    /// The sign-in page's path, for a browser that has just been signed out.
    pub(super) fn signed_out_path(&self) -> String {
        format!("{}/login?{SIGNED_OUT}", self.settings.own.prefix)
    }

    /// Where programs log in.
    pub fn login_path(&self) -> String {
        format!("{}/login", self.settings.own.prefix)
    }

    /// Sends a browser to the sign-in page, at this address. One that comes back again and again without the session
    /// that it was given is told so instead. `None` where there is no sign-in page.
    pub fn send_to_sign_in(
        &self,
        visitor: &Visitor<'_>,
        address: &str,
        now: u64,
    ) -> Option<Response<Bytes>> {
        let theme = self.settings.theme.as_deref()?;
        let guard = RedirectLoopGuard::read(visitor.cookies.marker(), now);
        let counted = guard.map(RedirectLoopGuard::came_back);
        if counted == Some(None) {
            return Some(self.show_cookie_missing(theme, visitor));
        }
        let mut response = see_other(address)?;
        if let Some(guard) = counted.flatten() {
            self.mark(guard, now, response.headers_mut());
        }
        Some(response)
    }

    fn show_cookie_missing(&self, theme: &Theme, visitor: &Visitor<'_>) -> Response<Bytes> {
        let cookie = &self.settings.cookie;
        let came_back = cookie
            .credential(visitor.cookies, visitor.site.scheme)
            .is_some();
        let reason = if came_back { REFUSED } else { LOST };
        let action = self.sign_in_path(visitor.next.as_ref());
        let page = theme.cookie_missing(&CookieMissing {
            action: &action,
            cookie: cookie.name(visitor.site.scheme),
            reason,
        });
        let mut response = show(page, StatusCode::UNAUTHORIZED);
        response
            .headers_mut()
            .append(SET_COOKIE, cookie.mark("", 0));
        response
    }

    fn mark(&self, guard: RedirectLoopGuard, now: u64, headers: &mut HeaderMap) {
        let (value, seconds) = guard.written(now);
        headers.append(SET_COOKIE, self.settings.cookie.mark(&value, seconds));
    }

    /// `GET`: the form, or who is signed in already.
    pub(super) fn show_sign_in(
        &self,
        theme: &Theme,
        intake: &Intake,
        caller: &PortalCaller,
    ) -> Response<Bytes> {
        let query = Query::read(intake.head.uri.query());
        let prefix = &self.settings.own.prefix;
        match caller {
            PortalCaller::Known { identity, .. } => {
                let account = AccountPage {
                    action: &format!("{prefix}/logout"),
                    next: query.next.as_str(),
                    user: &identity.subject,
                    name: identity.name.as_deref().unwrap_or_default(),
                };
                show(theme.account(&account), StatusCode::OK)
            }
            PortalCaller::Anonymous | PortalCaller::Rejected(_) => {
                let notice = if query.signed_out {
                    "You are signed out."
                } else {
                    ""
                };
                let (action, next) = (&*format!("{prefix}/login"), query.next.as_str());
                show(
                    theme.sign_in(&SignInPage {
                        action,
                        next,
                        notice,
                        ..SignInPage::default()
                    }),
                    StatusCode::OK,
                )
            }
        }
    }

    /// `POST` from the page's form.
    pub(super) async fn sign_in(
        &self,
        theme: &Theme,
        intake: &Intake,
        body: ReceivedBody,
        now: u64,
    ) -> PortalReply {
        if !intake.site.sends(&intake.head.headers) {
            return self
                .refuse(
                    theme,
                    StatusCode::FORBIDDEN,
                    FOREIGN,
                    &FormExtras::default(),
                )
                .into();
        }
        let bytes = match body.whole() {
            Ok(bytes) => bytes,
            Err(rejection) => {
                let plain = rejection.into_response(LoginApi::Login);
                return self.retell(theme, plain, &FormExtras::default()).into();
            }
        };
        let typed = extras(&bytes);
        match parse_password(&bytes) {
            Ok(request) => self.try_sign_in(theme, intake, request, &typed, now).await,
            Err(rejection) => self
                .retell(theme, rejection.into_response(LoginApi::Login), &typed)
                .into(),
        }
    }

    async fn try_sign_in(
        &self,
        theme: &Theme,
        intake: &Intake,
        request: LoginRequest,
        typed: &FormExtras,
        now: u64,
    ) -> PortalReply {
        let user = log_safe_name(&request.username);
        let name = request.username.clone();
        let begun = self.begin_session(request, intake, now).await;
        let mut response = match &begun {
            Ok(session) => self.let_in(intake, session, typed, now),
            Err(denial) => self.retell(theme, denial.into_response(LoginApi::Login), typed),
        };
        if begun.is_ok() {
            // names compare byte for byte: the user has the typed one
            self.remember_device(intake, &name, now, response.headers_mut());
        }
        PortalReply {
            response,
            login: Some(LoginEvent {
                user,
                outcome: begun.map(drop),
            }),
            session: None,
        }
    }

    async fn begin_session(
        &self,
        request: LoginRequest,
        intake: &Intake,
        now: u64,
    ) -> Result<SessionToken, LoginDenial> {
        let device = self.known_device(intake, &request.username, now);
        let user = self
            .authenticate_password(request, intake.client.accountable_address(), device)
            .await?;
        let id = SessionId::from_bytes(ambient::random_bytes());
        let session = self.browsers.begin(&user.identity.subject, id, now)?;
        self.end_replaced(intake, now).await?;
        Ok(session)
    }

    fn let_in(
        &self,
        intake: &Intake,
        session: &SessionToken,
        typed: &FormExtras,
        now: u64,
    ) -> Response<Bytes> {
        let next = ReturnPath::parse(&typed.next).unwrap_or_default();
        let mut response = see_other(next.as_str()).expect("a parsed path is a field value");
        let cookie =
            self.settings
                .cookie
                .write(intake.site.scheme, &session.value, session.max_age);
        response.headers_mut().append(SET_COOKIE, cookie);
        let former = self
            .settings
            .cookie
            .clear_others(&intake.cookies, intake.site.scheme);
        for line in former {
            response.headers_mut().append(SET_COOKIE, line);
        }
        let guard = RedirectLoopGuard::signed_in(
            RedirectLoopGuard::read(intake.cookies.marker(), now),
            now,
        );
        self.mark(guard, now, response.headers_mut());
        response
    }

    /// An answer for programs as a page for people: its status and fields, and the form once more.
    fn retell(&self, theme: &Theme, plain: Response<Bytes>, typed: &FormExtras) -> Response<Bytes> {
        let mut page = self.refuse(theme, plain.status(), words(plain.status()), typed);
        for (name, value) in plain.headers() {
            if *name != CONTENT_TYPE {
                page.headers_mut().append(name.clone(), value.clone());
            }
        }
        page
    }

    pub(super) fn refuse(
        &self,
        theme: &Theme,
        status: StatusCode,
        error: &str,
        typed: &FormExtras,
    ) -> Response<Bytes> {
        let next = ReturnPath::parse(&typed.next).unwrap_or_default();
        let user: String = typed.username.chars().take(SHOWN_CHARACTERS).collect();
        let action = format!("{}/login", self.settings.own.prefix);
        let form = SignInPage {
            action: &action,
            next: next.as_str(),
            user: &user,
            error,
            notice: "",
        };
        show(theme.sign_in(&form), status)
    }
}

/// The query of the sign-in page.
#[derive(Default)]
struct Query {
    next: ReturnPath,
    signed_out: bool,
}

impl Query {
    fn read(query: Option<&str>) -> Self {
        let mut read = Self::default();
        for (name, value) in
            form::pairs(query.unwrap_or_default().as_bytes()).filter_map(Result::ok)
        {
            match &**name {
                "next" => read.next = ReturnPath::parse(&value).unwrap_or_default(),
                SIGNED_OUT => read.signed_out = true,
                _ => {}
            }
        }
        read
    }
}

/// The message for people where programs get an error.
fn words(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "The user name or the password is wrong.",
        StatusCode::TOO_MANY_REQUESTS => {
            "Too many attempts have failed. Please wait a while before you try again."
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            "Signing in is not possible right now. Please try again in a moment."
        }
        StatusCode::UNPROCESSABLE_ENTITY => "Please fill in both fields.",
        StatusCode::BAD_REQUEST | StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
            "The form could not be read. Please try again."
        }
        _ => "Signing in does not work at the moment. Please tell the operator of this site.",
    }
}

/// A page under its policy, which no other page may frame and no cache keep.
fn show(page: RenderedPage, status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(page.html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-security-policy", page.policy);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        // `no-referrer` would make browsers send the form with `Origin: null`
        ("referrer-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    wire::forbid_storing(headers);
    response
}

/// `303`, also where the browser came by another method than GET; `None` where the address is no field value.
pub(super) fn see_other(address: &str) -> Option<Response<Bytes>> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_str(address).ok()?);
    wire::forbid_storing(response.headers_mut());
    Some(response)
}
