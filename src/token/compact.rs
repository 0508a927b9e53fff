//! A token in compact form (RFC 7515, section 7.1), cut into its parts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::TokenError;

/// The most bytes of a token, counted before anything is decoded: 8 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

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
    /// [`TokenError::TooLarge`] and, for anything but three parts, [`TokenError::Malformed`].
    pub(super) fn split(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
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

/// Padding, white space, foreign characters and stray bits at the end are all refused, so that one token has one
/// spelling.
pub(super) fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}
