//! What the configuration says of the endpoints.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::account::OwnPasswords;
use crate::access::PathOptions;
use crate::factors::SecondFactorPolicy;
use crate::oidc::Provider;
use crate::pages::Theme;
use crate::session::AttemptLimits;
use crate::users::RegisteredClient;
use crate::webauthn::PasskeySettings;
use crate::wire::{OwnPaths, ResourceMetadata, SessionCookie};

/// The settings of the endpoints.
#[derive(Clone, Debug)]
pub struct PortalSettings {
    /// Which requests are the gateway's own.
    pub own: OwnPaths,
    /// The JSON Web Key Set with the public keys. Default: an empty set.
    pub jwks: Bytes,
    /// How many failed logins are too many.
    pub attempts: AttemptLimits,
    /// What comes after a right password; default: who has a second factor is asked for it.
    pub second_factor: SecondFactorPolicy,
    /// How long a refresh token is good, in whole seconds; default 7 d.
    pub refresh_ttl: Duration,
    /// The longest that any token may hold from now, that of a cookie included, with leeway, in whole seconds; default
    /// 24 h and 30 s. For so long it is remembered that a session has ended.
    pub longest_token: Duration,
    /// The pages; `None`: nobody signs in with a browser. Default: the built-in ones.
    pub theme: Option<Arc<Theme>>,
    /// The session cookie.
    pub cookie: Arc<SessionCookie>,
    /// Which paths some service accepts beyond the strict default, so that browsers may come back to them. Default: none.
    pub paths: PathOptions,
    /// The OpenID providers that people may sign in with. Default: none.
    pub providers: Vec<Arc<Provider>>,
    /// The programs that may ask about any token. Default: none.
    pub clients: Vec<RegisteredClient>,
    /// Whether there are public keys that tokens are verified with. Default: no.
    pub has_public_keys: bool,
    /// Whether users of the list may change their own passwords. Default: no.
    pub own_passwords: OwnPasswords,
    /// Whether second factors that people add themselves are there after a restart. Default: no, and they add none.
    pub keeps_factors: bool,
    /// What is said of services as protected resources. Default: nothing.
    pub resource_metadata: Option<ResourceMetadata>,
    /// Passkeys and security keys; `None`: there are none. Default: none.
    pub passkeys: Option<PasskeySettings>,
}

impl Default for PortalSettings {
    fn default() -> Self {
        Self {
            own: OwnPaths::default(),
            jwks: Bytes::from_static(br#"{"keys":[]}"#),
            attempts: AttemptLimits::default(),
            second_factor: SecondFactorPolicy::default(),
            refresh_ttl: Duration::from_secs(7 * 24 * 3600),
            longest_token: Duration::from_secs(24 * 3600 + 30),
            theme: Some(Arc::new(Theme::builtin("Sign in"))),
            cookie: Arc::default(),
            paths: PathOptions::default(),
            providers: Vec::new(),
            clients: Vec::new(),
            has_public_keys: false,
            own_passwords: OwnPasswords::Off,
            keeps_factors: false,
            resource_metadata: None,
            passkeys: None,
        }
    }
}
