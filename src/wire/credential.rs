//! The credential of a request, before anyone has looked whether it holds.

use std::fmt;
use std::ops::Range;

use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::bad_request::{AuthScheme, BadRequest};
use super::field_presence::FieldPresence;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How the gateway's own API keys start, wherever they stand.
const API_KEY: &str = "glk_";

/// A token or an API key as sent. It cannot be printed.
#[derive(Clone)]
pub struct Credential {
    name: HeaderName,
    field: HeaderValue,
    token: Range<usize>,
    source: CredentialSource,
    withheld: bool,
}

/// What a credential is sent as. One of one source is none of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// `Authorization: Bearer` with a token.
    Bearer,
    /// One of the gateway's API keys, good or bad, in `X-Api-Key` or where a bearer token stands. Nobody else has a use
    /// for one.
    ApiKey,
    /// The session cookie.
    Cookie,
    /// `Authorization: Basic` (RFC 7617), where the service accepts it.
    Basic,
}

impl Credential {
    /// Reads the one `Authorization: Bearer …` (RFC 6750, section 2.1) or the one `X-Api-Key: glk_…`. Another scheme,
    /// or a key that is none of the gateway's, is the upstream's own affair: `None`.
    ///
    /// # Errors
    /// [`BadRequest::SeveralCredentials`] and [`BadRequest::SeveralApiKeys`] where it is not clear which one counts.
    pub fn read(headers: &HeaderMap, present: FieldPresence) -> Result<Option<Self>, BadRequest> {
        let bearer = if present.has(FieldPresence::AUTHORIZATION) {
            Self::read_bearer(headers)?
        } else {
            None
        };
        let api_key = if present.has(FieldPresence::X_API_KEY) {
            Self::read_api_key(headers)?
        } else {
            None
        };
        match (bearer, api_key) {
            (Some(_), Some(_)) => Err(BadRequest::SeveralApiKeys),
            (bearer, api_key) => Ok(bearer.or(api_key)),
        }
    }

    fn read_bearer(headers: &HeaderMap) -> Result<Option<Self>, BadRequest> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let Some(field) = fields.next() else {
            return Ok(None);
        };
        if let Some(second) = fields.next() {
            let [first, second] = [field, second].map(|field| AuthScheme::of(field.as_bytes()));
            return Err(BadRequest::SeveralCredentials(first, second));
        }
        let start = token_start(field.as_bytes(), b"bearer");
        Ok(start.map(|start| Self::of_field(AUTHORIZATION, field, start)))
    }

    fn read_api_key(headers: &HeaderMap) -> Result<Option<Self>, BadRequest> {
        let mut fields = headers.get_all(X_API_KEY).iter();
        let Some(first) = fields.next() else {
            return Ok(None);
        };
        let is_ours = |field: &HeaderValue| field.as_bytes().starts_with(API_KEY.as_bytes());
        match (is_ours(first), fields.next()) {
            (true, None) => Ok(Some(Self::of_field(X_API_KEY, first, 0))),
            (false, None) => Ok(None),
            (ours, Some(second)) if ours || is_ours(second) || fields.any(is_ours) => {
                Err(BadRequest::SeveralApiKeys)
            }
            (_, Some(_)) => Ok(None),
        }
    }

    /// Reads the `Authorization: Basic …` of a request whose `Authorization` was found to be one at the most.
    pub(super) fn read_basic(headers: &HeaderMap) -> Option<Self> {
        let field = headers.get(AUTHORIZATION)?;
        let start = token_start(field.as_bytes(), b"basic")?;
        Some(Self {
            source: CredentialSource::Basic,
            ..Self::of_field(AUTHORIZATION, field, start)
        })
    }

    /// What stands in a field from `start` on.
    fn of_field(name: HeaderName, field: &HeaderValue, start: usize) -> Self {
        let is_key = field.as_bytes()[start..]
            .trim_ascii_start()
            .starts_with(API_KEY.as_bytes());
        let source = if is_key {
            CredentialSource::ApiKey
        } else {
            CredentialSource::Bearer
        };
        Self {
            name,
            field: field.clone(),
            token: start..field.len(),
            source,
            withheld: false,
        }
    }

    /// A token that stands in no field of its own, as if it were a bearer token. `None` where it could not be one.
    pub fn of_text(token: &str) -> Option<Self> {
        let field = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        Some(Self::of_field(AUTHORIZATION, &field, "Bearer ".len()))
    }

    /// The token in this range of a `Cookie` line.
    pub(super) fn of_cookie(field: &HeaderValue, token: Range<usize>) -> Self {
        Self {
            name: COOKIE,
            field: field.clone(),
            token,
            source: CredentialSource::Cookie,
            withheld: false,
        }
    }

    /// The token in this range of a `Sec-WebSocket-Protocol` line.
    pub(super) fn of_protocol(field: &HeaderValue, token: Range<usize>) -> Self {
        Self {
            token: token.clone(),
            ..Self::of_field(SEC_WEBSOCKET_PROTOCOL, field, token.start)
        }
    }

    /// Whether it stands among the protocols of a WebSocket.
    pub fn is_among_protocols(&self) -> bool {
        self.name == SEC_WEBSOCKET_PROTOCOL
    }

    /// A cookie that holds for nobody: it was sent in two ways.
    pub(super) fn unreadable_cookie() -> Self {
        Self::of_cookie(&HeaderValue::from_static(""), 0..0)
    }

    /// The same for longer than its request: a share of the head's own bytes would keep all of them.
    pub fn detached(&self) -> Self {
        let mut field =
            HeaderValue::from_bytes(self.field.as_bytes()).expect("it was the value of a field");
        field.set_sensitive(self.field.is_sensitive());
        Self {
            field,
            ..self.clone()
        }
    }

    /// The field it stands in.
    pub fn field_name(&self) -> &HeaderName {
        &self.name
    }

    /// The token; empty where it is not even text.
    pub fn token(&self) -> &str {
        let token = self
            .field
            .as_bytes()
            .get(self.token.clone())
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        token.map_or("", str::trim_ascii)
    }

    /// Says that nobody behind the gateway gets to see it.
    pub fn withhold(&mut self) {
        self.withheld = true;
    }

    /// Whether nobody behind the gateway gets to see it, whatever else is configured.
    pub fn is_withheld(&self) -> bool {
        self.withheld
    }

    /// What it was sent as.
    pub fn source(&self) -> CredentialSource {
        self.source
    }
}

/// Whether a text says that it is one of the gateway's API keys.
pub fn is_api_key(text: &str) -> bool {
    text.starts_with(API_KEY)
}

/// Where the token starts: behind the scheme, which is case-insensitive (RFC 9110, section 11.1), and its spaces. A tab is
/// none (section 11.4); some read it as one, so that the field is a credential of the gateway, with no good token in it.
fn token_start(field: &[u8], scheme: &[u8]) -> Option<usize> {
    let rest = field.get(scheme.len()..)?;
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let is_scheme = field[..scheme.len()].eq_ignore_ascii_case(scheme);
    match rest.get(spaces) {
        Some(b'\t') if is_scheme => Some(field.len()),
        _ if is_scheme && (spaces > 0 || rest.is_empty()) => Some(scheme.len() + spaces),
        _ => None,
    }
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
        Ok(Credential::read(&headers, FieldPresence::of(&headers))?
            .map(|credential| credential.token().to_owned()))
    }

    #[test]
    fn a_bearer_token_is_the_gateways_and_other_schemes_are_not() {
        let some = |token: &str| Ok(Some(token.to_owned()));
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer abc"]), some("abc"));
        assert_eq!(read(&["bEARER   abc "]), some("abc"));
        assert_eq!(read(&["Bearer"]), some(""));
        for tab in ["Bearer\tabc", "bearer \tabc", "Bearer\t", "Bearer\t abc"] {
            assert_eq!(read(&[tab]), some(""), "{tab:?}");
        }
        assert_eq!(read(&["Bearerabc"]), Ok(None));
        assert_eq!(read(&["Basic YWxpY2U6"]), Ok(None));
        assert_eq!(
            read(&["Bearer a", "Bearer a"]),
            Err(BadRequest::SeveralCredentials(
                AuthScheme::Bearer,
                AuthScheme::Bearer
            ))
        );
        assert_eq!(
            read(&["basic a", "Bearer a"]),
            Err(BadRequest::SeveralCredentials(
                AuthScheme::Basic,
                AuthScheme::Bearer
            ))
        );
        assert_eq!(
            read(&["Digest a", "secret"]).unwrap_err().to_string(),
            "the request has more than one `Authorization`: Digest and another scheme"
        );
    }

    #[test]
    fn an_api_key_stands_in_a_field_of_its_own_or_where_a_token_does() {
        let read = |fields: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            let found = Credential::read(&headers, FieldPresence::of(&headers))?;
            Ok(found.map(|one| {
                (
                    one.field_name().to_string(),
                    one.token().to_owned(),
                    one.source() == CredentialSource::ApiKey,
                )
            }))
        };
        let found =
            |name: &str, token: &str, key| Ok(Some((name.to_owned(), token.to_owned(), key)));
        let (key, bearer) = ("x-api-key", "authorization");
        let several = Err(BadRequest::SeveralApiKeys);
        assert_eq!(read(&[(key, "glk_a")]), found(key, "glk_a", true));
        assert_eq!(
            read(&[(bearer, "bearer glk_a")]),
            found(bearer, "glk_a", true)
        );
        assert_eq!(
            read(&[(bearer, "Basic x"), (key, "glk_a")]),
            found(key, "glk_a", true)
        );
        assert_eq!(
            read(&[(bearer, "Bearer a"), (key, "other")]),
            found(bearer, "a", false)
        );
        assert_eq!(read(&[(key, "other")]), Ok(None));
        assert_eq!(read(&[(key, "other"), (key, "another")]), Ok(None));
        assert_eq!(read(&[(bearer, "Bearer a"), (key, "glk_a")]), several);
        assert_eq!(read(&[(key, "glk_a"), (key, "glk_a")]), several);
        assert_eq!(read(&[(key, "glk_a"), (key, "other")]), several);
        assert_eq!(read(&[(key, "other"), (key, "x"), (key, "glk_a")]), several);
    }

    #[test]
    fn a_credential_is_never_printed() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer hush"));
        assert!(
            !format!(
                "{:?}",
                Credential::read(&headers, FieldPresence::of(&headers))
            )
            .contains("hush")
        );
    }
}
