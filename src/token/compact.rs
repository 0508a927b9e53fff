//! A token in compact form (RFC 7515, section 7.1), cut into its parts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::TokenError;

/// The parts, still encoded.
#[derive(Clone, Copy)]
pub(super) struct Compact<'t> {
    /// Header and payload with the dot between them: what the signature is about.
    pub(super) signed: &'t str,
    pub(super) header: &'t str,
    pub(super) payload: &'t str,
    pub(super) signature: &'t str,
}

impl<'t> Compact<'t> {
    /// # Errors
    /// [`TokenError::Malformed`] for anything but three parts. Their size is bounded by that of the request's head.
    pub(super) fn split(token: &'t str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            signed,
            header,
            payload,
            signature,
        })
    }
}

/// The issuer that a token names, or would if it were signed; `None` where it names none. Nothing is verified: this says
/// whose token it claims to be, whatever else is wrong with it.
pub(super) fn named_issuer(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        iss: Option<Value>,
    }
    match serde_json::from_slice::<Named>(payload).ok()?.iss? {
        Value::String(issuer) => Some(issuer),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// The claims of a token that was verified.
pub fn payload_of(token: &str) -> Option<Map<String, Value>> {
    let payload = decode(Compact::split(token).ok()?.payload).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Padding, white space, foreign characters and stray bits at the end are all refused, so that one token has one
/// spelling.
pub(super) fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}
