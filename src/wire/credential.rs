//! The credential of a request, before anyone has looked whether it holds.

use std::fmt;
use std::ops::Range;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::bad_request::BadRequest;

/// A token as sent. It cannot be printed.
#[derive(Clone)]
pub struct Credential {
    field: HeaderValue,
    token: Range<usize>,
    source: CredentialSource,
}

/// How a token was sent. A token of one source is none of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// `Authorization: Bearer`.
    Bearer,
    /// The session cookie.
    Cookie,
}

impl Credential {
    /// Reads the one `Authorization: Bearer …` (RFC 6750, section 2.1). Another scheme is the upstream's own affair: `None`.
    ///
    /// # Errors
    /// [`BadRequest::SeveralCredentials`] where it is not clear which one counts.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, BadRequest> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(BadRequest::SeveralCredentials);
        }
        let source = CredentialSource::Bearer;
        Ok(bearer_start(field.as_bytes()).map(|start| Self { field: field.clone(), token: start..field.len(), source }))
    }

    /// The token in this range of a `Cookie` line.
    pub(super) fn of_cookie(field: &HeaderValue, token: Range<usize>) -> Self {
        Self { field: field.clone(), token, source: CredentialSource::Cookie }
    }

    /// A cookie that holds for nobody: it was sent in two ways.
    pub(super) fn unreadable_cookie() -> Self {
        Self { field: HeaderValue::from_static(""), token: 0..0, source: CredentialSource::Cookie }
    }

    /// The token; empty where it is not even text.
    pub fn token(&self) -> &str {
        self.field.to_str().map_or("", |text| text[self.token.clone()].trim_ascii())
    }

    /// How it was sent.
    pub fn source(&self) -> CredentialSource {
        self.source
    }
}

/// Where the token starts: behind the scheme, which is case-insensitive (RFC 9110, section 11.1), and its spaces.
fn bearer_start(field: &[u8]) -> Option<usize> {
    let scheme = b"bearer";
    let rest = field.get(scheme.len()..)?;
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let bearer = field[..scheme.len()].eq_ignore_ascii_case(scheme) && (spaces > 0 || rest.is_empty());
    bearer.then_some(scheme.len() + spaces)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Result<Option<String>, BadRequest> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_str(field).unwrap());
        }
        Ok(Credential::read(&headers)?.map(|credential| credential.token().to_owned()))
    }

    #[test]
    fn a_bearer_token_is_the_gateways_and_other_schemes_are_not() {
        let some = |token: &str| Ok(Some(token.to_owned()));
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer abc"]), some("abc"));
        assert_eq!(read(&["bEARER   abc "]), some("abc"));
        assert_eq!(read(&["Bearer"]), some(""));
        assert_eq!(read(&["Bearerabc"]), Ok(None));
        assert_eq!(read(&["Basic YWxpY2U6"]), Ok(None));
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(BadRequest::SeveralCredentials));
        assert_eq!(read(&["Basic a", "Bearer a"]), Err(BadRequest::SeveralCredentials));
    }

    #[test]
    fn a_credential_is_never_printed() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer hush"));
        assert!(!format!("{:?}", Credential::read(&headers)).contains("hush"));
    }
}
