//! Signing in with OpenID providers: the relying party of OpenID Connect Core 1.0, with the authorization code flow and
//! PKCE (RFC 7636). Cookies, pages and sessions are others' affair.
//!
//! [`Providers`] keeps what is published by the providers, over every reload; a [`Provider`] is one of them under one
//! configuration. The way of a sign-in: [`Provider::authorization_url`] sends the browser away, [`AuthorizationResponse`]
//! is what it brings back, [`Provider::redeem`] makes a [`ProviderSignIn`] of that. Later [`Provider::refresh`] and
//! [`Provider::confirm`] ask whether it still holds, and [`Provider::verify_logout_token`] hears that it does not.

mod allow;
mod authorization;
mod callback;
mod client;
mod email;
mod error;
mod exchange;
mod exchanges;
mod id_token;
mod identity;
mod logout;
mod metadata;
mod name;
mod probe;
mod provider;
mod providers;
mod roles;
mod settings;
mod source;
mod subject;
mod token_endpoint;
mod userinfo;

pub use allow::ProviderAllow;
pub use authorization::{AuthorizationRequest, code_challenge};
pub use callback::{AuthorizationResponse, MalformedResponse};
pub use client::{ClientAuthentication, ClientSettings};
pub use email::{EmailAddress, EmailDomain};
pub use error::{OAuthErrorCode, ProviderError};
pub use exchange::{ProviderRefresh, ProviderSignIn, RenewedTokens, SignInSecrets};
pub use identity::ProviderIdentity;
pub use logout::{LogoutToken, LogoutTokenError};
pub use metadata::{ProviderEndpoints, ProviderMetadata, SecretMethod};
pub use name::ProviderName;
pub use probe::probe;
pub use provider::Provider;
pub use providers::Providers;
pub use roles::RoleMapping;
pub use settings::{
    LogoutMode, ProviderLocation, ProviderSecondFactor, ProviderSettings, SubjectClaim, UsersMode,
};
pub use subject::ProviderSubject;
