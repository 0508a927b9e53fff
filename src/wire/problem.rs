//! Small JSON answers of the gateway itself: problem details (RFC 9457) and Bearer challenges (RFC 6750).

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::basic::BASIC_CHALLENGE;
use crate::access::AuthenticationDemand;

/// The challenge to callers without a credential (RFC 6750, section 3).
pub const BEARER_CHALLENGE: &str = "Bearer realm=\"gatelatch\"";

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// `application/problem+json` that says `detail`. Nobody stores it: a cache may keep even 404, 405 and 414 by itself (RFC
/// 9110, section 15.1), and the next load of the configuration changes them.
pub fn problem(status: StatusCode, detail: &str) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut response = json(
        status,
        &Problem {
            r#type: "about:blank",
            title,
            status: status.as_u16(),
            detail,
        },
    );
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    forbid_storing(response.headers_mut());
    response
}

/// The challenges of a 401 (RFC 9110, section 11.6.1), beside that for a bearer token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenges {
    /// Whether a user name and a password are accepted: that challenge comes first, in a line of its own. Some clients take
    /// the first line only, and bearer tokens are sent unasked.
    pub basic: bool,
    /// Where the client reads which authorization servers the service trusts (RFC 9728, section 5.1): a URL of visible
    /// ASCII without `"` and `\`.
    pub resource_metadata: Option<Box<str>>,
    /// What the rule asks of a sign-in. It stands in no challenge: browsers are sent to a sign-in that meets it.
    pub sign_in: AuthenticationDemand,
}

impl Challenges {
    /// Writes the challenges; `error` stands in that for a bearer token.
    fn write(&self, headers: &mut HeaderMap, error: Option<&str>) {
        if self.basic {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC_CHALLENGE));
        }
        let bearer = match (error, &self.resource_metadata) {
            (None, None) => HeaderValue::from_static(BEARER_CHALLENGE),
            (error, url) => {
                let url = url.as_ref();
                let url = url.map(|url| format!(", resource_metadata=\"{url}\""));
                let (error, url) = (error.unwrap_or_default(), url.unwrap_or_default());
                HeaderValue::from_str(&format!("{BEARER_CHALLENGE}{error}{url}"))
                    .unwrap_or(HeaderValue::from_static(BEARER_CHALLENGE))
            }
        };
        headers.append(WWW_AUTHENTICATE, bearer);
    }

    /// 401 for a good token whose sign-in is not enough (RFC 9470, section 3). `what` would be: visible ASCII and spaces,
    /// neither `"` nor `\`; at most `max_age` ago, where that matters. A user name and a password with the request are no
    /// sign-in, so that they are not asked for.
    pub fn insufficient_sign_in(&self, what: &str, max_age: Option<Duration>) -> Response<Bytes> {
        let max_age = max_age.map(|age| format!(", max_age=\"{}\"", age.as_secs()));
        let error = format!(
            ", error=\"insufficient_user_authentication\", error_description=\"requires {what}\"{}",
            max_age.unwrap_or_default()
        );
        let challenges = Self {
            basic: false,
            ..self.clone()
        };
        challenges.refuse(&format!("Requires {what}"), Some(&error))
    }

    fn refuse(&self, detail: &str, error: Option<&str>) -> Response<Bytes> {
        let mut response = problem(StatusCode::UNAUTHORIZED, detail);
        self.write(response.headers_mut(), error);
        response
    }

    /// 401 for a request without a credential.
    pub fn not_authenticated(&self) -> Response<Bytes> {
        self.refuse("Not authenticated", None)
    }

    /// 401 for a user name and a password that are not accepted.
    pub fn invalid_password(&self) -> Response<Bytes> {
        self.refuse("Invalid credentials", None)
    }

    /// 401 for a user name and a password that do not count without a second factor; `why` says what to send.
    pub fn password_alone(&self, why: &'static str) -> Response<Bytes> {
        self.refuse(why, None)
    }

    /// 401 for a token that does not hold. `why` is fixed text in the characters of `error_description`: visible ASCII
    /// and spaces, neither `"` nor `\`.
    pub fn invalid_token(&self, why: &'static str) -> Response<Bytes> {
        let error = format!(", error=\"invalid_token\", error_description=\"{why}\"");
        self.refuse("Invalid or expired token", Some(&error))
    }
}

/// `application/json` with this body, in one line: what is written to a terminal does not join what follows.
///
/// # Panics
/// Where `body` is a map with keys that are no strings; no answer of the gateway is.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let mut body = serde_json::to_vec(body).expect("answers are structs and maps with string keys");
    body.push(b'\n');
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Takes the body out of an answer to `HEAD` and leaves its length: not every version of HTTP leaves it out by itself.
pub fn drop_body(response: &mut Response<Bytes>) {
    let body = std::mem::take(response.body_mut());
    if !body.is_empty() {
        let length = body.len().into();
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
}

/// Marks an answer as never to be kept by a cache.
pub fn forbid_storing(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_json_in_a_fixed_order() {
        let response = problem(StatusCode::NOT_FOUND, "no `service` for \"this\" host");
        assert_eq!(
            response.body(),
            concat!(
                r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no `service` for \"this\" host"}"#,
                "\n"
            )
        );
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn no_problem_is_stored() {
        for status in [400, 401, 403, 404, 405, 410, 414, 501, 502, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            let response = problem(status, "why");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store", "{status}");
        }
    }

    #[test]
    fn challenges_say_what_is_wrong_with_the_credential() {
        let response = Challenges::default().not_authenticated();
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            r#"Bearer realm="gatelatch""#
        );
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(
            response.body(),
            concat!(
                r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Not authenticated"}"#,
                "\n"
            )
        );
        let response = Challenges::default().invalid_token("the token has expired");
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            r#"Bearer realm="gatelatch", error="invalid_token", error_description="the token has expired""#
        );
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn a_sign_in_that_is_not_enough_is_said_as_rfc_9470_says_it() {
        let challenges = Challenges {
            basic: true,
            resource_metadata: Some("https://app.test/meta".into()),
            ..Challenges::default()
        };
        let what = "a sign-in within the last 15m";
        let response = challenges.insufficient_sign_in(what, Some(Duration::from_secs(900)));
        let lines: Vec<_> = response
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .collect();
        assert_eq!(
            lines,
            [concat!(
                r#"Bearer realm="gatelatch", error="insufficient_user_authentication", "#,
                r#"error_description="requires a sign-in within the last 15m", max_age="900", "#,
                r#"resource_metadata="https://app.test/meta""#
            )]
        );
        assert_eq!(
            (response.status(), &response.headers()[CACHE_CONTROL]),
            (
                StatusCode::UNAUTHORIZED,
                &HeaderValue::from_static("no-store")
            )
        );
        let response = Challenges::default().insufficient_sign_in("a second factor", None);
        let line = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(line.ends_with(r#"="requires a second factor""#), "{line}");
    }

    #[test]
    fn a_challenge_for_a_password_comes_first() {
        let challenges = Challenges {
            basic: true,
            ..Challenges::default()
        };
        for response in [
            challenges.not_authenticated(),
            challenges.invalid_password(),
            challenges.invalid_token("the token has expired"),
        ] {
            let lines = response.headers().get_all(WWW_AUTHENTICATE);
            let lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
            let [basic, bearer] = lines[..] else {
                panic!("{lines:?}");
            };
            assert_eq!(basic, r#"Basic realm="gatelatch", charset="UTF-8""#);
            assert!(bearer.starts_with("Bearer realm="), "{bearer}");
        }
    }
}
