//! What the browser says about a ceremony (WebAuthn, section 5.8.1), as far as webauthn-rs does not look at it.

use serde::Deserialize;

use super::error::CeremonyError;

/// Which half of a key's life an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Get,
}

/// A member that is given twice fails to parse.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    operation: String,
    origin: String,
    #[serde(rename = "crossOrigin")]
    is_cross_origin: Option<bool>,
    #[serde(rename = "topOrigin")]
    top_origin: Option<serde_json::Value>,
}

/// Checks that a page of this very origin asked for the operation, and that it stood in no page of another site:
/// webauthn-rs looks at `crossOrigin` at registrations only, at `topOrigin` never, and compares origins as URLs.
pub(super) fn check(json: &[u8], operation: Operation, origin: &str) -> Result<(), CeremonyError> {
    let data: ClientData = serde_json::from_slice(json)
        .map_err(|_| CeremonyError::Malformed("the client data are no JSON of WebAuthn"))?;
    let expected = match operation {
        Operation::Create => "webauthn.create",
        Operation::Get => "webauthn.get",
    };
    if data.operation != expected {
        return Err(CeremonyError::Malformed(
            "the client data are of another operation",
        ));
    }
    let is_framed = data.is_cross_origin.unwrap_or(false) || data.top_origin.is_some();
    if is_framed || data.origin != origin {
        return Err(CeremonyError::Origin);
    }
    Ok(())
}
