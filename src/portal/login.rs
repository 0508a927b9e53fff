//! Tokens for a name and a password.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::PRAGMA;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::denial::LoginDenial;
use super::fields::{GrantRequest, LoginRequest, parse};
use super::login_api::LoginApi;
use super::rejection::FormRejection;
use super::{Portal, PortalReply, ReceivedBody};
use crate::session::{DeviceId, LoginAttempt, PasswordResult, RefreshToken, Stamp};
use crate::token::{Holder, IssuedToken, SessionId, is_visible};
use crate::users::{LoginFailure, Password, User, authenticate};
use crate::{ambient, wire};

/// The most characters of a name that go to the log.
const LOGGED_CHARACTERS: usize = 128;

/// A login in which a password was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginEvent {
    /// The name as the client sent it, fit for a log: at most 128 characters, then `…`, and what cannot be seen
    /// escaped as in a Rust string.
    pub user: Box<str>,
    /// Whether it got a token.
    pub outcome: Result<(), LoginDenial>,
}

/// RFC 6749, section 5.1.
#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// New tokens.
pub(super) struct Granted {
    pub(super) issued: IssuedToken,
    pub(super) refresh: Zeroizing<String>,
}

impl Portal {
    /// Reads no header but `Content-Type`, and where clients authenticate `Authorization`: others send one of their own, often
    /// an empty one.
    pub(super) async fn grant(
        &self,
        api: LoginApi,
        head: &Parts,
        body: ReceivedBody,
        client: IpAddr,
        now: u64,
    ) -> PortalReply {
        let mut reply = match read(api, head, body) {
            Ok(GrantRequest::Password(request)) => {
                self.answer_login(api, request, client, now).await
            }
            Ok(GrantRequest::Client(request)) => self.answer_client(request, &head.headers, now),
            Ok(GrantRequest::Refresh(shown)) => self.answer_refresh(api, shown, client, now).await,
            Err(rejection) => rejection.into_response(api).into(),
        };
        reply
            .response
            .headers_mut()
            .insert(PRAGMA, HeaderValue::from_static("no-cache"));
        reply
    }

    async fn answer_login(
        &self,
        api: LoginApi,
        request: LoginRequest,
        client: IpAddr,
        now: u64,
    ) -> PortalReply {
        let user = log_safe_name(&request.username);
        let granted = self.log_in(request, client, now).await;
        let response = match &granted {
            Ok(granted) => granted_response(granted),
            Err(denial) => denial.into_response(api),
        };
        let login = Some(LoginEvent {
            user,
            outcome: granted.map(drop),
        });
        PortalReply {
            response,
            login,
            ..PortalReply::default()
        }
    }

    async fn log_in(
        &self,
        request: LoginRequest,
        client: IpAddr,
        now: u64,
    ) -> Result<Granted, LoginDenial> {
        // programs have no cookies: their network identifies them
        let user = self.authenticate_password(request, client, None).await?;
        let first = RefreshToken::first(ambient::random_bytes(), ambient::random_bytes());
        let issued = self.issuer.issue(
            &holder(&user, first.session()),
            ambient::random_bytes(),
            now,
        )?;
        self.sessions
            .open(&user.identity.subject, &first, self.times(now))
            .await?;
        let stamp = Stamp {
            generation: 1,
            issued_at: now,
        };
        Ok(Granted {
            issued,
            refresh: first.expose(stamp, self.browsers.signer()),
        })
    }

    /// Checks a user name and a password that come with a request, as a login would; says how that is recorded.
    pub async fn check_password(
        &self,
        username: &str,
        password: &str,
        client: IpAddr,
    ) -> (LoginEvent, Result<Arc<User>, LoginDenial>) {
        let request = LoginRequest {
            username: username.to_owned(),
            password: Password::from(password.to_owned()),
        };
        let checked = self.authenticate_password(request, client, None).await;
        let event = LoginEvent {
            user: log_safe_name(username),
            outcome: checked.as_ref().map(drop).map_err(|denial| *denial),
        };
        (event, checked)
    }

    /// Checks the password under the limits for failed attempts, before and after; gives the user.
    pub(super) async fn authenticate_password(
        &self,
        request: LoginRequest,
        client: IpAddr,
        device: Option<DeviceId>,
    ) -> Result<Arc<User>, LoginDenial> {
        let LoginRequest { username, password } = request;
        let attempt = LoginAttempt::new(&username, client, device);
        let admission = self
            .sessions
            .check(attempt, ambient::unix_millis())
            .await??;
        let found = match authenticate(&self.directory, &self.hasher, &username, password).await {
            Err(LoginFailure::Busy) => return Err(LoginDenial::Busy),
            found => found,
        };
        let result = if found.is_ok() {
            PasswordResult::Correct
        } else {
            PasswordResult::Incorrect
        };
        let limits = self.settings.attempts;
        let now = ambient::unix_millis();
        let begun = self
            .sessions
            .record(attempt, admission, result, limits, now)
            .await??;
        found.map_err(|failure| match failure {
            LoginFailure::TooLong => LoginDenial::TooLong(begun),
            LoginFailure::Invalid | LoginFailure::Busy => LoginDenial::Invalid(begun),
        })
    }
}

fn read(api: LoginApi, head: &Parts, body: ReceivedBody) -> Result<GrantRequest, FormRejection> {
    let format = api
        .format(&head.headers)
        .ok_or(FormRejection::ContentType)?;
    parse(api, &format, &body.whole()?)
}

pub(super) fn log_safe_name(name: &str) -> Box<str> {
    let mut safe = String::new();
    let mut characters = name.chars();
    for character in characters.by_ref().take(LOGGED_CHARACTERS) {
        if character == ' ' || (is_visible(character) && character != '\\') {
            safe.push(character);
        } else {
            safe.extend(character.escape_default());
        }
    }
    if characters.next().is_some() {
        safe.push('…');
    }
    safe.into()
}

pub(super) fn holder(user: &User, session: SessionId) -> Holder<'_> {
    let identity = &user.identity;
    Holder {
        subject: &identity.subject,
        roles: &identity.roles,
        name: identity.name.as_deref(),
        email: identity.email.as_deref(),
        claims: user.claims.as_deref(),
        session: Some(session),
    }
}

pub(super) fn granted_response(granted: &Granted) -> Response<Bytes> {
    let body = TokenBody {
        access_token: &granted.issued.token,
        token_type: "bearer",
        expires_in: granted.issued.expires_in,
        refresh_token: &granted.refresh,
    };
    wire::json(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::log_safe_name;

    #[test]
    fn a_logged_name_is_short_and_visible() {
        for (name, expected) in [
            ("rita@example.com", "rita@example.com"),
            ("Zoë O'Neill", "Zoë O'Neill"),
            ("", ""),
            ("a\nb\r\t", "a\\nb\\r\\t"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{202e}nimda\u{9b}\0", "\\u{202e}nimda\\u{9b}\\u{0}"),
            ("a\\nb", "a\\\\nb"),
        ] {
            assert_eq!(&*log_safe_name(name), expected, "{name:?}");
        }
        assert_eq!(&*log_safe_name(&"é".repeat(128)), "é".repeat(128));
        assert_eq!(&*log_safe_name(&"é".repeat(50_000)), "é".repeat(128) + "…");
    }
}
