//! Tokens: keys, issuing and verifying. Time and chance are always arguments.

mod cache;
mod claims;
mod header;
mod issuer;
mod json;
mod key;
mod refusal;
mod session;
mod verifier;

pub use cache::TokenCache;
pub use claims::{is_valid_subject, is_visible};
pub use issuer::{Holder, IssueError, IssuedToken, Issuer, IssuerSettings};
pub use key::{HS256_BYTES, Key, KeyError};
pub use refusal::Refusal;
pub use session::{SESSION_AUDIENCE, SessionSettings, SessionToken, Sessions};
pub use verifier::{MAX_TOKEN_BYTES, VerifiedClaims, Verifier, VerifierSettings};

/// Chooses the cryptography behind every signature. Called once at start; calling it again changes nothing.
pub fn install_crypto() {
    // An error says that a provider is in place already, and this is the only one that is compiled in.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
