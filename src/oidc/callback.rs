//! What the browser brings back from the provider (RFC 6749, section 4.1.2; RFC 9207).

use std::fmt;

use secrecy::SecretString;

use super::error::{OAuthErrorCode, ProviderError};
use crate::text::form;

/// The query of a callback. Whose sign-in it belongs to, `state` says; whether that is pending, the caller looks at first.
#[derive(Clone, Debug)]
pub struct AuthorizationResponse {
    /// What the request said in `state`.
    pub state: Box<str>,
    /// Who answers, where the provider says so (RFC 9207).
    pub iss: Option<Box<str>>,
    /// The code to redeem, or why there is none.
    pub code: Result<SecretString, OAuthErrorCode>,
}

/// A query that no provider sends: a parameter twice, none of `code` and `error` or both, no `state`, or something that is
/// not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedResponse;

impl AuthorizationResponse {
    /// Reads the query of a request to the redirection endpoint. Unknown parameters are ignored (RFC 6749, section 3.1).
    ///
    /// # Errors
    /// [`MalformedResponse`].
    pub fn parse(query: &str) -> Result<Self, MalformedResponse> {
        let (mut state, mut iss, mut code, mut error) = (None, None, None, None);
        for pair in form::pairs(query.as_bytes()) {
            let (name, value) = pair.map_err(|_| MalformedResponse)?;
            let slot = match &**name {
                "state" => &mut state,
                "iss" => &mut iss,
                "code" => &mut code,
                "error" => &mut error,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(MalformedResponse);
            }
        }
        let code = match (code, error) {
            (Some(code), None) if is_code(&code) => Ok(SecretString::from(&**code)),
            (None, Some(error)) => Err(OAuthErrorCode::parse(&error)),
            (_, _) => return Err(MalformedResponse),
        };
        let state = state.filter(|state| !state.is_empty());
        Ok(Self {
            state: state.ok_or(MalformedResponse)?.as_str().into(),
            iss: iss.map(|iss| iss.as_str().into()),
            code,
        })
    }

    /// Whether it is the answer of this issuer: where two providers are known, the code of one must not be sent to the
    /// other (RFC 9207, section 2.4). Without `iss` it is, unless the provider always sends one.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`].
    pub(super) fn check_issuer(
        &self,
        issuer: &str,
        is_always_sent: bool,
    ) -> Result<(), ProviderError> {
        let reason = match &self.iss {
            Some(iss) if **iss == *issuer => return Ok(()),
            None if !is_always_sent => return Ok(()),
            Some(_) => "the browser brings the answer of another issuer (`iss`)",
            None => "the answer does not name its issuer (`iss`), which this provider always does",
        };
        Err(ProviderError::Invalid(reason.to_owned()))
    }
}

/// RFC 6749, appendix A.11.
fn is_code(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

impl fmt::Display for MalformedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an answer of an authorization endpoint")
    }
}

impl std::error::Error for MalformedResponse {}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(query: &str) -> Option<(String, Option<String>, Result<String, String>)> {
        let response = AuthorizationResponse::parse(query).ok()?;
        let code = response.code.map(|code| code.expose_secret().to_owned());
        let code = code.map_err(|error| error.to_string());
        Some((response.state.into(), response.iss.map(Into::into), code))
    }

    #[test]
    fn a_code_or_an_error_comes_back_with_the_state() {
        let state = "s".to_owned();
        let code = |code: &str| Ok(code.to_owned());
        assert_eq!(
            read("code=c%2B1&state=s"),
            Some((state.clone(), None, code("c+1")))
        );
        assert_eq!(
            read("state=s&code=a&iss=https%3A%2F%2Fidp&session_state=x&session_state=y"),
            Some((state.clone(), Some("https://idp".to_owned()), code("a")))
        );
        assert_eq!(
            read("error=access_denied&error_description=no&state=s"),
            Some((state, None, Err("access_denied".to_owned())))
        );
    }

    #[test]
    fn a_query_with_two_meanings_is_none() {
        for query in [
            "",
            "state=s",
            "code=c",
            "code=&state=s",
            "code=c&state=",
            "code=c&code=c&state=s",
            "code=c&state=s&state=s",
            "code=c&state=s&iss=a&iss=a",
            "error=a&error=b&state=s",
            "code=c&error=access_denied&state=s",
            "code=c&state=%",
            "code=c&state=%ff",
            "code=c%0A&state=s",
            "code=%C3%BC&state=s",
        ] {
            assert_eq!(read(query), None, "{query}");
        }
    }

    #[test]
    fn the_answer_of_another_issuer_is_refused() {
        let check = |query: &str, always| {
            let response = AuthorizationResponse::parse(query).unwrap();
            response.check_issuer("https://idp", always).is_ok()
        };
        for always in [false, true] {
            assert!(check("code=c&state=s&iss=https://idp", always));
            assert!(!check("code=c&state=s&iss=https://idp/", always));
            assert!(!check("code=c&state=s&iss=https://other", always));
            assert!(!check("code=c&state=s&iss=", always));
            assert!(!check(
                "error=access_denied&state=s&iss=https://other",
                always
            ));
        }
        assert!(check("code=c&state=s", false));
        assert!(!check("code=c&state=s", true));
    }
}
