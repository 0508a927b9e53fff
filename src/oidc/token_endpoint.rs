//! The token endpoint (RFC 6749, sections 4.1.3, 5 and 6).

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::{OAuthErrorCode, ProviderError};
use super::provider::Provider;
use super::source::KnownProvider;
use crate::net::{BoundedRequest, post};

/// From the name to the last byte; the caller has a deadline of the same length over all that it requests.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The most bytes of an answer.
pub(super) const LARGEST: usize = 1024 * 1024;

/// What the token endpoint hands out. How long the access token is good is not read: it is used at once or never.
pub(super) struct TokenResponse {
    pub(super) access_token: Option<SecretString>,
    pub(super) id_token: Option<Zeroizing<String>>,
    pub(super) refresh_token: Option<SecretString>,
}

/// Sends this form, with what identifies the client.
pub(super) async fn request(
    provider: &Provider,
    known: &KnownProvider,
    mut form: String,
    now: u64,
) -> Result<TokenResponse, ProviderError> {
    let endpoints = &known.metadata.endpoints;
    let url = &endpoints.token;
    let (client, method) = (&provider.settings().client, endpoints.secret_method);
    let authorization = client.authenticate(method, &url.to_string(), &mut form, now)?;
    let tls = provider.tls(url);
    let request = BoundedRequest {
        url,
        accept: "application/json",
        authorization: authorization.as_ref(),
        tls: tls.as_deref(),
        largest: LARGEST,
        deadline: DEADLINE,
    };
    let answered = post(request, form).await;
    let response = answered.map_err(|error| unavailable("token", error))?;
    read(&response)
}

/// The provider, or this endpoint of it, is away.
pub(super) fn unavailable(endpoint: &str, reason: impl fmt::Display) -> ProviderError {
    ProviderError::Unavailable(format!("the {endpoint} endpoint: {reason}"))
}

/// The media type of an answer, in lower case and without parameters.
pub(super) fn media_type(response: &Response<Bytes>) -> String {
    let value = response.headers().get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let name = value.split(';').next().unwrap_or("");
    name.trim().to_ascii_lowercase()
}

/// What an answer without success says to operators.
pub(super) fn status_reason(status: StatusCode) -> String {
    if status.is_redirection() {
        format!("it answered {status}, and redirects are not followed")
    } else {
        format!("it answered {status}")
    }
}

fn read(response: &Response<Bytes>) -> Result<TokenResponse, ProviderError> {
    let status = response.status();
    let members = match serde_json::from_slice(response.body()) {
        Ok(Value::Object(members)) if media_type(response) == "application/json" => Some(members),
        Ok(_) | Err(_) => None,
    };
    match members {
        Some(members) if status == StatusCode::OK => TokenResponse::read(members),
        Some(members) if status.is_client_error() => Err(refusal(&members, status)),
        None if status == StatusCode::OK => Err(unavailable(
            "token",
            "its answer is not an object of `application/json`",
        )),
        Some(_) | None => Err(unavailable("token", status_reason(status))),
    }
}

/// RFC 6749, section 5.2.
fn refusal(members: &Map<String, Value>, status: StatusCode) -> ProviderError {
    match members.get("error").and_then(Value::as_str) {
        Some(code) => ProviderError::Refused(OAuthErrorCode::parse(code)),
        None => unavailable("token", status_reason(status)),
    }
}

impl TokenResponse {
    fn read(mut members: Map<String, Value>) -> Result<Self, ProviderError> {
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(Zeroizing::new(text))),
            // some write what they do not have
            Some(Value::String(_) | Value::Null) | None => Ok(None),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(unavailable("token", format_args!("`{name}` is no text")))
            }
        };
        let kind = text("token_type")?;
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(unavailable("token", "`token_type` is not `Bearer`"));
        }
        let secret =
            |text: Option<Zeroizing<String>>| text.map(|text| SecretString::from(text.as_str()));
        Ok(Self {
            access_token: secret(text("access_token")?),
            id_token: text("id_token")?,
            refresh_token: secret(text("refresh_token")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn answer(status: u16, kind: &str, body: &str) -> Result<(bool, bool, bool), ProviderError> {
        let response = Response::builder().status(status);
        let response = if kind.is_empty() {
            response
        } else {
            response.header(CONTENT_TYPE, kind)
        };
        let read = read(&response.body(Bytes::from(body.to_owned())).unwrap());
        read.map(|read| {
            let is = |token: &Option<SecretString>| {
                token
                    .as_ref()
                    .is_some_and(|token| !token.expose_secret().is_empty())
            };
            (
                is(&read.access_token),
                read.id_token.is_some(),
                is(&read.refresh_token),
            )
        })
    }

    #[test]
    fn what_is_said_about_the_life_of_tokens_fails_nothing() {
        for life in ["3600", "\"3600\"", "-1", "null", "1e99", "{}"] {
            let body = format!(
                r#"{{"access_token":"a","token_type":"bearer","id_token":"i","expires_in":{life}}}"#
            );
            for kind in ["application/json", "Application/JSON; charset=utf-8"] {
                assert_eq!(answer(200, kind, &body), Ok((true, true, false)), "{life}");
            }
        }
        let body = r#"{"access_token":"a","id_token":"i","refresh_token":"r","x":[]}"#;
        assert_eq!(
            answer(200, "application/json", body),
            Ok((true, true, true))
        );
        let body = r#"{"access_token":"","id_token":null,"refresh_token":""}"#;
        assert_eq!(
            answer(200, "application/json", body),
            Ok((false, false, false))
        );
    }

    #[test]
    fn only_json_with_status_200_is_an_answer() {
        let good = r#"{"access_token":"a","token_type":"Bearer","id_token":"i"}"#;
        for (status, kind, body) in [
            (200, "", good),
            (200, "application/jsonx", good),
            (200, "text/html", good),
            (200, "application/json", "[]"),
            (200, "application/json", "<html>"),
            (200, "application/json", r#"{"id_token":7}"#),
            (
                200,
                "application/json",
                r#"{"token_type":"mac","id_token":"i"}"#,
            ),
            (201, "application/json", good),
            (302, "application/json", good),
            (400, "application/json", good),
            (400, "text/html", r#"{"error":"invalid_grant"}"#),
            (500, "application/json", r#"{"error":"invalid_grant"}"#),
            (503, "text/plain", "busy"),
        ] {
            let outcome = answer(status, kind, body);
            let is_away = matches!(outcome, Err(ProviderError::Unavailable(_)));
            assert!(is_away, "{status} {kind} {body}: {outcome:?}");
        }
        for status in [400, 401, 403] {
            assert_eq!(
                answer(status, "application/json", r#"{"error":"invalid_grant"}"#),
                Err(ProviderError::Refused(OAuthErrorCode::InvalidGrant))
            );
        }
    }
}
