//! One provider, as it is configured and as far as it is known.

use std::fmt;
use std::sync::Arc;

use super::authorization::{self, AuthorizationRequest, with_query};
use super::error::ProviderError;
use super::exchanges::ExchangeThread;
use super::settings::ProviderSettings;
use super::source::{KnownProvider, ProviderSource};
use crate::jwks::KeySources;
use crate::net::{HttpUrl, TlsSettings};
use crate::text::form;

/// A longer URL is refused by some servers; the hint is what can be left out of it.
const LONGEST_URL: usize = 4096;

/// A provider that people sign in with. Clones are the same one.
#[derive(Clone)]
pub struct Provider {
    settings: Arc<ProviderSettings>,
    source: Arc<ProviderSource>,
    keys: Arc<KeySources>,
    exchanges: Arc<ExchangeThread>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.settings.name)
    }
}

impl Provider {
    pub(super) fn new(
        settings: Arc<ProviderSettings>,
        source: Arc<ProviderSource>,
        keys: Arc<KeySources>,
        exchanges: Arc<ExchangeThread>,
    ) -> Self {
        Self {
            settings,
            source,
            keys,
            exchanges,
        }
    }

    /// What the configuration says about it.
    pub fn settings(&self) -> &ProviderSettings {
        &self.settings
    }

    /// Why it was not to be had the last time that its metadata were requested; `None` where it was. What is known of it
    /// stays in use meanwhile.
    pub fn failure(&self) -> Option<String> {
        self.source.failure()
    }

    /// Where a browser is sent to sign in.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] where the metadata are not known yet.
    pub fn authorization_url(
        &self,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, ProviderError> {
        let known = self.known()?;
        let endpoint = &known.metadata.endpoints.authorization;
        Ok(authorization::url(endpoint, &self.settings, request))
    }

    /// Where a browser is sent to sign out at the provider as well; `None` where that has no place for it (OpenID Connect
    /// RP-Initiated Logout 1.0, section 2). A hint that makes the URL too long is left out: the client is named in any case.
    pub fn end_session_url(
        &self,
        id_token_hint: Option<&str>,
        post_logout_redirect_uri: &str,
        state: &str,
    ) -> Option<String> {
        let known = self.source.known().ok()?;
        let endpoint = known.metadata.endpoints.end_session.as_ref()?;
        let mut query = String::new();
        form::push(&mut query, "client_id", &self.settings.client.id);
        form::push(
            &mut query,
            "post_logout_redirect_uri",
            post_logout_redirect_uri,
        );
        form::push(&mut query, "state", state);
        let url = with_query(endpoint, &query);
        let with_hint = id_token_hint.map(|hint| {
            form::push(&mut query, "id_token_hint", hint);
            with_query(endpoint, &query)
        });
        let fitting = with_hint.filter(|url| url.len() <= LONGEST_URL);
        Some(fitting.unwrap_or(url))
    }

    /// What is known of it.
    pub(super) fn known(&self) -> Result<Arc<KnownProvider>, ProviderError> {
        self.source.known().map_err(ProviderError::Unavailable)
    }

    /// Where its answers are waited for and verified.
    pub(super) fn exchanges(&self) -> &ExchangeThread {
        &self.exchanges
    }

    /// How its server is verified at an `https` URL.
    pub(super) fn tls(&self, url: &HttpUrl) -> Option<Arc<TlsSettings>> {
        let system = || self.exchanges.system_tls();
        let tls = || self.settings.tls.clone().unwrap_or_else(system);
        url.is_secure().then(tls)
    }

    /// All key sets of the process; hears of their changes.
    pub(super) fn key_sources(&self) -> &KeySources {
        &self.keys
    }
}
