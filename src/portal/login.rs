//! A token for a name and a password.

use std::sync::Arc;

use bytes::Bytes;
use http::header::PRAGMA;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use serde::Serialize;

use super::fields::{Format, LoginRequest, parse};
use super::rejection::Rejection;
use super::{Portal, PortalReply, body};
use crate::token::{Holder, IssueError, IssuedToken, is_visible};
use crate::users::{LoginFailure, Password, User, authenticate};
use crate::{ambient, wire};

/// The most characters of a name that go to the log.
const LOGGED_CHARACTERS: usize = 128;

/// Which of two conversations is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The login of applications: a form or JSON, and statuses that say what is wrong.
    Login,
    /// The token endpoint of OAuth: a form, a `grant_type`, and 400 (RFC 6749, sections 4.3 and 5.2).
    Token,
}

/// A login in which a password was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginEvent {
    /// The name as the client sent it, fit for a log: at most 128 characters, then `…`, and what cannot be seen
    /// escaped as in a Rust string.
    pub user: Box<str>,
    /// Whether it got a token.
    pub outcome: Result<(), Denial>,
}

/// Why a login got no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Unknown, disabled, or a wrong password; not told apart.
    Invalid,
    /// The password was not checked: too many were waiting.
    Busy,
    /// The password was right, but no token could be made. The operator's to mend.
    NoToken(IssueError),
}

/// RFC 6749, section 5.1.
#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
}

impl Dialect {
    /// The content types, as `Accept-Post` lists them.
    pub(super) fn accepts(self) -> &'static str {
        match self {
            Self::Login => "application/x-www-form-urlencoded, application/json",
            Self::Token => "application/x-www-form-urlencoded",
        }
    }

    fn takes(self, format: Format) -> bool {
        match (self, format) {
            (Self::Login, Format::Form | Format::Json) | (Self::Token, Format::Form) => true,
            (Self::Token, Format::Json) => false,
        }
    }
}

impl Denial {
    /// A short name for metrics and logs. It never changes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Busy => "busy",
            Self::NoToken(_) => "no_token",
        }
    }
}

impl Portal {
    /// Reads no header but `Content-Type`: clients send an `Authorization` of their own, often an empty one.
    pub(super) async fn log_in<B>(&self, dialect: Dialect, head: &Parts, body: B, now: u64) -> PortalReply
    where
        B: Body<Data = Bytes>,
    {
        let mut reply = match read(dialect, head, body).await {
            Ok(request) => self.answer_login(dialect, request, now).await,
            Err(rejection) => rejection.into_response(dialect).into(),
        };
        reply.response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
        reply
    }

    async fn answer_login(&self, dialect: Dialect, request: LoginRequest, now: u64) -> PortalReply {
        let user = loggable(&request.username);
        let granted = self.grant(request, now).await;
        let response = match &granted {
            Ok(issued) => token_response(issued),
            Err(denial) => denial.into_response(dialect),
        };
        PortalReply { response, login: Some(LoginEvent { user, outcome: granted.map(drop) }) }
    }

    async fn grant(&self, request: LoginRequest, now: u64) -> Result<IssuedToken, Denial> {
        let user = self.check(&request.username, request.password).await?;
        Ok(self.issuer.issue(&holder(&user), ambient::random_bytes(), now)?)
    }

    /// Whose name and password these are.
    pub(super) async fn check(&self, name: &str, password: Password) -> Result<Arc<User>, Denial> {
        Ok(authenticate(&self.directory, &self.hasher, name, password).await?)
    }
}

async fn read<B>(dialect: Dialect, head: &Parts, body: B) -> Result<LoginRequest, Rejection>
where
    B: Body<Data = Bytes>,
{
    let format = Format::of(&head.headers).filter(|&format| dialect.takes(format)).ok_or(Rejection::ContentType)?;
    let bytes = body::read(body, body::DEADLINE).await?;
    parse(dialect, format, &bytes)
}

pub(super) fn loggable(name: &str) -> Box<str> {
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

fn holder(user: &User) -> Holder<'_> {
    let identity = &user.identity;
    Holder {
        subject: &identity.subject,
        roles: &identity.roles,
        name: identity.name.as_deref(),
        email: identity.email.as_deref(),
        claims: &user.claims,
    }
}

fn token_response(issued: &IssuedToken) -> Response<Bytes> {
    let body = TokenBody { access_token: &issued.token, token_type: "bearer", expires_in: issued.expires_in };
    wire::json(StatusCode::OK, &body)
}

impl From<LoginFailure> for Denial {
    fn from(failure: LoginFailure) -> Self {
        match failure {
            LoginFailure::Invalid => Self::Invalid,
            LoginFailure::Busy => Self::Busy,
        }
    }
}

impl From<IssueError> for Denial {
    fn from(error: IssueError) -> Self {
        Self::NoToken(error)
    }
}

#[cfg(test)]
mod tests {
    use super::loggable;

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
            assert_eq!(&*loggable(name), expected, "{name:?}");
        }
        assert_eq!(&*loggable(&"é".repeat(128)), "é".repeat(128));
        assert_eq!(&*loggable(&"é".repeat(50_000)), "é".repeat(128) + "…");
    }
}
