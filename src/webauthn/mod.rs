//! Passkeys and security keys: the ceremonies of a relying party (WebAuthn level 3), as functions over bytes.
//!
//! `webauthn-rs` makes challenges and verifies answers. What it leaves to its user is decided here: that a page inside of
//! another site's page registers and signs in nobody (`client_data`), whose key an assertion may be checked against
//! (`assertion`), that a key whose use was never verified is a second factor only (`key`), and that a key whose record
//! has changed meanwhile is checked anew (`relying_party`).
//!
//! A ceremony has two halves, with the browser between them. The state of the first is good for one second half: who
//! keeps it gives it out once, after five minutes not at all, and only to the browser that began.

mod assertion;
mod client_data;
mod error;
mod key;
mod relying_party;
mod rp_id;
#[cfg(test)]
mod soft_key;
#[cfg(test)]
mod tests;

pub use assertion::KeyAssertion;
pub use error::CeremonyError;
pub use key::{AuthenticatorKind, KeyUse, RegisteredKey};
pub use relying_party::{Ceremony, CeremonyState, KeyHolder, RelyingParty};
pub use rp_id::{PasskeySettings, RpId, RpIdError};
