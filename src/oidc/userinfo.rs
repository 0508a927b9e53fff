//! What the userinfo endpoint says of a person (OpenID Connect Core 1.0, section 5.3).

use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::error::ProviderError;
use super::provider::Provider;
use super::token_endpoint::{DEADLINE, LARGEST, media_type, status_reason, unavailable};
use crate::net::{BoundedRequest, HttpUrl, get};

/// An answer, as it came.
pub(super) enum Userinfo {
    /// Claims that nobody has signed: they came over the provider's own connection.
    Plain(Map<String, Value>),
    /// A token whose claims are to be verified.
    Signed(String),
}

/// Requests what is said of whoever this access token is for.
pub(super) async fn request(
    provider: &Provider,
    url: &HttpUrl,
    access_token: &SecretString,
) -> Result<Userinfo, ProviderError> {
    let bearer = HeaderValue::try_from(format!("Bearer {}", access_token.expose_secret()));
    let mut bearer =
        bearer.map_err(|_| unavailable("token", "the access token is no text of one line"))?;
    bearer.set_sensitive(true);
    let tls = provider.tls(url);
    let request = BoundedRequest {
        url,
        accept: "application/json, application/jwt",
        authorization: Some(&bearer),
        tls: tls.as_deref(),
        largest: LARGEST,
        deadline: DEADLINE,
    };
    let answered = get(request).await;
    let response = answered.map_err(|error| unavailable("userinfo", error))?;
    if response.status() != StatusCode::OK {
        return Err(unavailable("userinfo", status_reason(response.status())));
    }
    match media_type(&response).as_str() {
        "application/jwt" => {
            let token = String::from_utf8(response.into_body().to_vec());
            let token = token.map_err(|_| unavailable("userinfo", "its answer is no text"))?;
            Ok(Userinfo::Signed(token.trim().to_owned()))
        }
        "application/json" => match serde_json::from_slice(response.body()) {
            Ok(Value::Object(claims)) => Ok(Userinfo::Plain(claims)),
            Ok(_) | Err(_) => Err(unavailable("userinfo", "its answer is no JSON object")),
        },
        _ => Err(unavailable(
            "userinfo",
            "its answer is neither `application/json` nor `application/jwt`",
        )),
    }
}
