//! Those who vouch for people, asked beside requests whether a session still holds.

use std::sync::Arc;

use secrecy::SecretString;

use crate::identify::SessionProvider;
use crate::ldap::LdapDirectory;
use crate::oidc::{Provider, ProviderError, ProviderSubject, RenewedTokens, UsersMode};
use crate::portal::DirectoryProvider;
use crate::session::{
    BrowserIdentity, IdentityProvider, ProviderFuture, ProviderSession, RefreshedTokens,
    RenewalError,
};
use crate::token::LDAP;

/// A provider that vouches for people, and whom the service asks that renews their sessions, under one configuration.
pub(super) struct VouchingProvider {
    pub(super) of: SessionProvider,
    pub(super) asked: Arc<dyn IdentityProvider>,
}

impl VouchingProvider {
    pub(super) fn openid(provider: &Arc<Provider>) -> Self {
        let provider = RenewingProvider::new(Arc::clone(provider));
        Self {
            of: provider.of.clone(),
            asked: Arc::new(provider),
        }
    }

    pub(super) fn directory(ldap: &Arc<LdapDirectory>) -> Self {
        Self {
            of: SessionProvider {
                name: LDAP.into(),
                fingerprint: ldap.fingerprint(),
                is_listed: false,
                refresh: ldap.settings().refresh.as_secs(),
            },
            asked: Arc::new(DirectoryProvider::new(Arc::clone(ldap))),
        }
    }
}

/// An OpenID provider that sessions are renewed at.
struct RenewingProvider {
    of: SessionProvider,
    provider: Arc<Provider>,
}

impl RenewingProvider {
    fn new(provider: Arc<Provider>) -> Self {
        Self {
            of: SessionProvider::of(provider.settings()),
            provider,
        }
    }
}

impl IdentityProvider for RenewingProvider {
    fn name(&self) -> &str {
        &self.of.name
    }

    fn fingerprint(&self) -> &str {
        &self.of.fingerprint
    }

    fn refresh<'a>(
        &'a self,
        refresh_token: &'a SecretString,
        now: u64,
    ) -> ProviderFuture<'a, Box<dyn RefreshedTokens + 'a>> {
        Box::pin(async move {
            let tokens = self.provider.refresh(refresh_token, now).await;
            let tokens = tokens.map_err(renewal_error)?;
            let provider = &*self.provider;
            Ok(Box::new(Refreshed { provider, tokens }) as Box<dyn RefreshedTokens>)
        })
    }
}

struct Refreshed<'a> {
    provider: &'a Provider,
    tokens: RenewedTokens,
}

impl RefreshedTokens for Refreshed<'_> {
    fn refresh_token(&self) -> Option<&SecretString> {
        self.tokens.refresh_token()
    }

    fn confirm<'a>(
        &'a self,
        session: &'a ProviderSession,
        now: u64,
    ) -> ProviderFuture<'a, Option<BrowserIdentity>> {
        Box::pin(async move {
            let of = ProviderSubject {
                issuer: self.provider.settings().issuer.as_str().into(),
                sub: session.sub.clone(),
                auth_time: session.auth_time,
            };
            let confirmed = self.provider.confirm(&self.tokens, &of, now).await;
            let identity = confirmed.map_err(renewal_error)?.identity;
            let is_listed = self.provider.settings().users == UsersMode::Listed;
            Ok(identity.map(|identity| BrowserIdentity {
                subject: identity.subject,
                // the list says them at every request
                roles: if is_listed {
                    Vec::new()
                } else {
                    identity.roles
                },
                display_name: identity.name,
                email: identity.email,
            }))
        })
    }
}

fn renewal_error(error: ProviderError) -> RenewalError {
    let reason = error.to_string();
    if error.ends_session() {
        RenewalError::Ended(reason)
    } else {
        RenewalError::Away(reason)
    }
}
