//! What a browser sends at the end of a sign-in with a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use webauthn_rs::prelude::PublicKeyCredential;

use super::error::CeremonyError;

/// An assertion that nobody has verified yet: it claims which key signed, and whose that is.
pub struct KeyAssertion {
    pub(super) credential: PublicKeyCredential,
    handle: Option<[u8; 16]>,
}

impl KeyAssertion {
    /// Reads the JSON of a `PublicKeyCredential` (WebAuthn, section 5.1).
    ///
    /// # Errors
    /// [`CeremonyError::Malformed`], also where the two spellings of the key's id differ, or the user handle is none that
    /// the gateway gives.
    pub fn read(json: &[u8]) -> Result<Self, CeremonyError> {
        let credential: PublicKeyCredential = serde_json::from_slice(json)
            .map_err(|_| CeremonyError::Malformed("no assertion of WebAuthn"))?;
        check_id(&credential.id, &credential.raw_id, &credential.type_)?;
        let handle = match credential.response.user_handle.as_deref() {
            // what keys without a memory for users send, and some say so by an empty one
            None | Some([]) => None,
            Some(handle) => Some(
                handle
                    .try_into()
                    .map_err(|_| CeremonyError::Malformed("an unknown user handle"))?,
            ),
        };
        Ok(Self { credential, handle })
    }

    /// The id of the key that claims to have signed.
    pub fn key_id(&self) -> &[u8] {
        &self.credential.raw_id
    }

    /// The handle of the person that the key was registered for, where the key remembers it. It is not signed: whoever
    /// looks a key up by it demands that the key is that person's.
    pub fn user_handle(&self) -> Option<[u8; 16]> {
        self.handle
    }
}

/// Checks that a credential names itself once.
pub(super) fn check_id(id: &str, raw_id: &[u8], kind: &str) -> Result<(), CeremonyError> {
    if kind != "public-key" {
        return Err(CeremonyError::Malformed("not a public key"));
    }
    // WebAuthn, section 6.5.2
    if !(16..=1023).contains(&raw_id.len()) {
        return Err(CeremonyError::Malformed(
            "the key's id is too short or too long",
        ));
    }
    if URL_SAFE_NO_PAD.encode(raw_id) != id {
        return Err(CeremonyError::Malformed("the two ids of the key differ"));
    }
    Ok(())
}
