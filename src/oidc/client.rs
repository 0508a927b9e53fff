//! Who the gateway is to a provider, and how it proves that at the token endpoint.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::error::ProviderError;
use super::metadata::SecretMethod;
use crate::ambient;
use crate::text::form;
use crate::token::Key;

/// How long a client assertion is good, in seconds.
const ASSERTION_LIFE: u64 = 60;

/// The gateway as a client of a provider.
#[derive(Debug)]
pub struct ClientSettings {
    /// `client_id`.
    pub id: String,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
}

/// How a client authenticates at the token endpoint (OpenID Connect Core 1.0, section 9).
#[derive(Debug)]
pub enum ClientAuthentication {
    /// Not at all: `none`.
    Public,
    /// By a secret: `client_secret_basic` or `client_secret_post`, as the provider says.
    Secret(SecretString),
    /// By a signature: `private_key_jwt` (RFC 7523).
    PrivateKeyJwt(Box<Key>),
}

impl ClientSettings {
    /// Puts into a form what identifies the client; gives what stands in `Authorization`.
    pub(super) fn authenticate(
        &self,
        method: SecretMethod,
        token_endpoint: &str,
        form: &mut String,
        now: u64,
    ) -> Result<Option<HeaderValue>, ProviderError> {
        match (&self.authentication, method) {
            (ClientAuthentication::Secret(secret), SecretMethod::Basic) => {
                return Ok(Some(basic(&self.id, secret)));
            }
            (ClientAuthentication::Secret(secret), SecretMethod::Post) => {
                form::push(form, "client_id", &self.id);
                form::push(form, "client_secret", secret.expose_secret());
            }
            (ClientAuthentication::PrivateKeyJwt(key), _) => {
                let assertion = self.assertion(key, token_endpoint, now)?;
                form::push(form, "client_id", &self.id);
                form::push(form, "client_assertion_type", ASSERTION_TYPE);
                form::push(form, "client_assertion", &assertion);
            }
            (ClientAuthentication::Public, _) => form::push(form, "client_id", &self.id),
        }
        Ok(None)
    }

    /// RFC 7523, section 3. The audience is the token endpoint that the assertion is sent to, and no other.
    fn assertion(
        &self,
        key: &Key,
        token_endpoint: &str,
        now: u64,
    ) -> Result<String, ProviderError> {
        let id = URL_SAFE_NO_PAD.encode(ambient::random_bytes::<16>());
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": token_endpoint, "jti": id,
            "iat": now, "exp": now.saturating_add(ASSERTION_LIFE),
        });
        let signed = claims.as_object().and_then(|claims| key.encode(claims));
        signed.ok_or_else(|| {
            ProviderError::Unavailable("the client assertion cannot be signed".to_owned())
        })
    }
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Both parts are encoded as in a form first, so that a colon in the name separates nothing (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &SecretString) -> HeaderValue {
    let mut pair = String::new();
    form::encode_into(&mut pair, id);
    pair.push(':');
    form::encode_into(&mut pair, secret.expose_secret());
    let text = format!("Basic {}", STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(text).expect("Base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_secret_are_encoded_before_they_are_joined() {
        let value = basic("my:client", &SecretString::from("a b+c%ü"));
        let sent = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let sent = STANDARD.decode(sent).unwrap();
        assert_eq!(sent, b"my%3Aclient:a%20b%2Bc%25%C3%BC");
        assert!(!format!("{value:?}").contains("Basic"));
    }
}
