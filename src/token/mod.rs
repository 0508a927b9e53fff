//! Tokens: keys, issuing and verifying. Time is always an argument, and so is chance, but for the randomness inside a
//! signature and of a seal.

mod algorithm;
mod authentication_methods;
mod cache;
mod claim_path;
mod claimed;
mod claims;
mod compact;
mod dates;
mod device;
mod error;
mod foreign;
mod foreign_claims;
mod generate;
mod header;
mod inspect;
mod issuer;
mod json;
mod jwks;
mod key;
mod key_flaw;
mod key_set;
mod provider;
mod provider_claims;
mod remote_keys;
mod sealer;
mod session;
mod session_id;
mod session_token;
mod sign_in;
mod signed;
mod text_signer;
mod verifier;

pub use algorithm::Algorithm;
pub use authentication_methods::{AuthenticationMethod, AuthenticationMethods};
pub use cache::TokenCache;
pub use claim_path::{ClaimPath, ClaimPathError};
pub use claimed::ClaimedIssuers;
pub use claims::{KEY_CLAIM, is_valid_foreign_subject, is_valid_subject, is_visible};
pub use compact::payload_of;
pub use device::{DEVICE_AUDIENCE, DeviceTokens};
pub use error::TokenError;
pub use foreign::{
    AudienceRule, ExternalToken, IssuerKeys, TrustSettings, TrustedIssuer, TrustedIssuers, roles_of,
};
pub use generate::generate;
pub use header::TokenType;
pub use inspect::Inspection;
pub use issuer::{Holder, IssueError, IssuedToken, IssuerSettings, KeyGrant, TokenIssuer};
pub use jwks::JwksError;
pub use key::{Key, KeyError, SECRET_BYTES, VerifyingKey, public_key_text};
pub use key_flaw::KeyFlaw;
pub use key_set::KeySet;
pub use provider::{CryptographyError, install_provider};
pub use provider_claims::{LDAP, ProviderClaims};
pub use remote_keys::{KeyWish, RemoteKeys};
pub use sealer::{Sealed, SealedFor, Sealer};
pub use session::{CookieSessions, ProviderRoom, SESSION_AUDIENCE, SessionSettings};
pub use session_id::SessionId;
pub use session_token::SessionToken;
pub use sign_in::SignIn;
pub use signed::SignedClaims;
pub use text_signer::TextSigner;
pub use verifier::{VerifiedClaims, Verifier, VerifierSettings};
