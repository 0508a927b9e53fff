//! The one table from what is wrong with a login, a refresh or a logout to the answer.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::denial::{LoginDenial, Missing, RefreshDenial};
use super::login_api::LoginApi;
use crate::wire;

/// Why a body is rejected before the password or the refresh token is checked. Always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormRejection {
    TooLarge,
    TooSlow,
    Broken,
    ContentType,
    MalformedForm,
    MalformedMultipart,
    MalformedJson,
    NotAnObject,
    Duplicate(&'static str),
    Missing(&'static str),
    WrongType(&'static str),
    GrantType,
    /// A client that authenticates in two ways at once.
    ClientTwice,
    Scope,
    /// An API key is no token that ends here.
    ApiKey,
}

/// `detail` is what FastAPI clients show, the other two are those of OAuth (RFC 6749, section 5.2).
#[derive(Serialize)]
struct ErrorBody<'a> {
    detail: &'a str,
    error: &'static str,
    error_description: &'a str,
}

/// The same, with what stands for the password.
#[derive(Serialize)]
struct HalfBody<'a> {
    detail: &'a str,
    error: &'static str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation: Option<&'a str>,
}

impl FormRejection {
    pub(super) fn into_response(self, api: LoginApi) -> Response<Bytes> {
        let detail = self.detail(api);
        let mut response = error(self.status(api), self.error(), (&detail, &detail));
        if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            let accept_post = HeaderName::from_static("accept-post");
            response
                .headers_mut()
                .insert(accept_post, HeaderValue::from_static(api.accepts()));
        }
        response
    }

    /// RFC 6749 (section 5.2) defines only 400 for a malformed request to the token endpoint.
    fn status(self, api: LoginApi) -> StatusCode {
        match (self, api) {
            (Self::TooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Self::TooSlow, _) => StatusCode::REQUEST_TIMEOUT,
            (Self::ContentType, LoginApi::Login | LoginApi::Refresh) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            (
                Self::NotAnObject | Self::Missing(_) | Self::WrongType(_),
                LoginApi::Login | LoginApi::Refresh,
            ) => StatusCode::UNPROCESSABLE_ENTITY,
            (
                Self::Broken
                | Self::MalformedForm
                | Self::MalformedMultipart
                | Self::MalformedJson
                | Self::Duplicate(_)
                | Self::GrantType
                | Self::ClientTwice
                | Self::Scope
                | Self::ApiKey,
                _,
            )
            | (
                Self::ContentType | Self::NotAnObject | Self::Missing(_) | Self::WrongType(_),
                LoginApi::Token | LoginApi::Query,
            ) => StatusCode::BAD_REQUEST,
        }
    }

    fn error(self) -> &'static str {
        match self {
            Self::GrantType => "unsupported_grant_type",
            Self::Scope => "invalid_scope",
            Self::ApiKey => "unsupported_token_type",
            Self::TooLarge
            | Self::TooSlow
            | Self::Broken
            | Self::ContentType
            | Self::MalformedForm
            | Self::MalformedMultipart
            | Self::MalformedJson
            | Self::NotAnObject
            | Self::Duplicate(_)
            | Self::Missing(_)
            | Self::WrongType(_)
            | Self::ClientTwice => "invalid_request",
        }
    }

    fn detail(self, api: LoginApi) -> Cow<'static, str> {
        match self {
            Self::TooLarge => "the body is larger than 64 KiB".into(),
            Self::TooSlow => "the body did not arrive within 10 seconds".into(),
            Self::Broken => "the body could not be read to its end".into(),
            Self::ContentType => format!(
                "the content type must be {}",
                api.accepts().replace(", ", " or ")
            )
            .into(),
            Self::MalformedForm => "the body is not a form in UTF-8".into(),
            Self::MalformedMultipart => "the body is not multipart/form-data in UTF-8".into(),
            Self::MalformedJson => "the body is not JSON in UTF-8".into(),
            Self::NotAnObject => match api {
                LoginApi::Login | LoginApi::Token => {
                    "the body must be a JSON object with `username` and `password`"
                }
                LoginApi::Refresh => "the body must be a JSON object with `refresh_token`",
                LoginApi::Query => "the body must be a form with `token`",
            }
            .into(),
            Self::Duplicate(field) => format!("the field `{field}` is given twice").into(),
            Self::Missing(field) => format!("the field `{field}` is missing or empty").into(),
            Self::WrongType(field) => format!("the field `{field}` must be a string").into(),
            Self::GrantType => match api {
                LoginApi::Login => "the grant type must be `password`",
                LoginApi::Token => {
                    "the grant type must be `password`, `refresh_token` or `client_credentials`"
                }
                LoginApi::Refresh | LoginApi::Query => "the grant type must be `refresh_token`",
            }
            .into(),
            Self::ClientTwice => {
                "the client authenticates in two ways; send `Authorization: Basic` or `client_secret`"
                    .into()
            }
            Self::ApiKey => "an API key ends in the user list".into(),
            Self::Scope => "the field `scope` must be visible words with single spaces".into(),
        }
    }
}

impl LoginDenial {
    pub(super) fn into_response(self, api: LoginApi) -> Response<Bytes> {
        let (status, error, detail, description) = self.told(api);
        let mut response = self::error(status, error, (detail, description));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(self.challenge());
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// Status, `error`, `detail` and `error_description`.
    fn told(self, api: LoginApi) -> (StatusCode, &'static str, &'static str, &'static str) {
        let refused = match api {
            LoginApi::Token => StatusCode::BAD_REQUEST,
            LoginApi::Login | LoginApi::Refresh | LoginApi::Query => StatusCode::UNAUTHORIZED,
        };
        let alike = |status, error, detail| (status, error, detail, detail);
        let later = "temporarily_unavailable";
        let unavailable = |detail| alike(StatusCode::SERVICE_UNAVAILABLE, later, detail);
        let failed = |detail| alike(StatusCode::INTERNAL_SERVER_ERROR, "server_error", detail);
        match self {
            Self::Client => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "Invalid client",
                WRONG_CLIENT,
            ),
            // a wrong code as well: who sends it with a password learns of neither
            Self::Invalid(_) | Self::TooLong(_) | Self::WrongCode(_) => {
                (refused, "invalid_grant", "Invalid credentials", WRONG)
            }
            Self::SecondFactor => alike(refused, "second_factor_required", SECOND_FACTOR),
            Self::NoFactor => alike(refused, "second_factor_required", NO_FACTOR),
            Self::Continuation => alike(refused, "invalid_grant", NO_CONTINUATION),
            Self::NoToken(_) => failed(NO_TOKEN),
            Self::Unreadable => failed(UNREADABLE),
            // RFC 6749 has no word for it; this one comes closest
            Self::LockedOut(_) => (StatusCode::TOO_MANY_REQUESTS, later, LOCKED, LOCKED_OUT),
            Self::Busy => unavailable(BUSY),
            Self::Away => unavailable(AWAY),
            Self::DirectoryAway => unavailable(DIRECTORY_AWAY),
        }
    }

    /// Every 401 has one (RFC 9110, section 15.5.2), also that to a client that authenticates in the body.
    fn challenge(self) -> &'static str {
        if self == Self::Client {
            wire::BASIC_CHALLENGE
        } else {
            wire::BEARER_CHALLENGE
        }
    }

    /// In seconds.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::Busy => Some(1),
            Self::LockedOut(seconds) => Some(seconds),
            Self::Away | Self::DirectoryAway => Some(AWAY_SECONDS),
            Self::Client
            | Self::Invalid(_)
            | Self::TooLong(_)
            | Self::SecondFactor
            | Self::NoFactor
            | Self::WrongCode(_)
            | Self::Continuation
            | Self::Unreadable
            | Self::NoToken(_) => None,
        }
    }
}

impl Missing {
    /// The answer where the password was right, and something is missing; with what stands for the password. `can_add`:
    /// whether who has no factor can add one.
    pub(super) fn into_response(
        self,
        api: LoginApi,
        continuation: Option<&str>,
        can_add: bool,
    ) -> Response<Bytes> {
        let plain = self.denial().into_response(api);
        let (error, detail) = match self {
            Self::Factor => ("second_factor_required", SECOND_FACTOR),
            Self::Enrolment if can_add => ("second_factor_required", NO_FACTOR),
            Self::Enrolment => ("second_factor_required", NO_WAY_TO_ADD),
            Self::RightCode(_) => ("invalid_grant", WRONG_CODE),
        };
        let body = HalfBody {
            detail,
            error,
            error_description: detail,
            continuation,
        };
        let mut response = wire::json(plain.status(), &body);
        for (name, value) in plain.headers() {
            if *name == WWW_AUTHENTICATE {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}

impl RefreshDenial {
    /// All invalid refresh tokens get the same response.
    pub(super) fn into_response(self, api: LoginApi) -> Response<Bytes> {
        let (status, error, detail) = match (self, api) {
            (Self::Refused | Self::Reused, LoginApi::Token) => {
                (StatusCode::BAD_REQUEST, "invalid_grant", SPENT)
            }
            (
                Self::Refused | Self::Reused,
                LoginApi::Login | LoginApi::Refresh | LoginApi::Query,
            ) => (StatusCode::UNAUTHORIZED, "invalid_grant", SPENT),
            (Self::Away, _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                AWAY,
            ),
            (Self::DirectoryAway, _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                DIRECTORY_AWAY,
            ),
            (Self::NoToken(_), _) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", NO_TOKEN),
        };
        let mut response = self::error(status, error, (detail, detail));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(wire::BEARER_CHALLENGE),
            );
        }
        if matches!(self, Self::Away | Self::DirectoryAway) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, AWAY_SECONDS.into());
        }
        response
    }
}

fn error(
    status: StatusCode,
    error: &'static str,
    (detail, error_description): (&str, &str),
) -> Response<Bytes> {
    let body = ErrorBody {
        detail,
        error,
        error_description,
    };
    wire::json(status, &body)
}

/// The same where an endpoint is not offered as where there is none.
pub(super) fn no_such_endpoint() -> Response<Bytes> {
    wire::problem(StatusCode::NOT_FOUND, NO_ENDPOINT)
}

pub(super) const NO_ENDPOINT: &str = "No such endpoint";
const WRONG: &str = "the user name or the password is wrong";
const WRONG_CLIENT: &str = "the client id or the secret is missing or wrong";
const BUSY: &str = "too many logins at once; try again";
const SECOND_FACTOR: &str =
    "a second factor is required; send a code of the app or a recovery code as `otp`";
const NO_FACTOR: &str =
    "a second factor is required, and this account has none yet; sign in with a browser to add one";
const NO_WAY_TO_ADD: &str =
    "a second factor is required, and this account has none; ask the operator for one";
const WRONG_CODE: &str = "the code is wrong, or was used before";
const NO_CONTINUATION: &str = "the continuation is unknown, expired or used, or of another client";
const UNREADABLE: &str = "the second factors of this account cannot be read";
const NO_TOKEN: &str = "no token could be made";
const LOCKED: &str = "Too many failed attempts";
const LOCKED_OUT: &str = "too many failed attempts; try again later";
const AWAY: &str = "the gateway cannot reach its state store; try again";
const DIRECTORY_AWAY: &str = "the gateway cannot reach the directory; try again";
const SPENT: &str = "the refresh token is invalid, expired or spent";

/// After how many seconds it may be worth trying again when the state store or the directory is away.
const AWAY_SECONDS: u64 = 2;
