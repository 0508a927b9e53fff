//! What providers say of sessions while these last: read by requests from memory, and asked for beside them.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::snapshot::Snapshot;
use crate::identify::{Confirmations, SessionProvider};
use crate::ldap::LdapDirectory;
use crate::oidc::{Provider, ProviderError, ProviderSubject, RenewedTokens};
use crate::portal::DirectoryProvider;
use crate::session::{
    BrowserIdentity, IdentityProvider, ProviderFuture, ProviderSession, RefreshedTokens,
    RenewalError, RenewalRequest, RenewalView, RenewedSession,
};
use crate::token::{LDAP, ProviderClaims, SessionId};

/// One worker's view, under one snapshot.
pub(super) struct WorkerConfirmations<'a> {
    pub(super) view: &'a RenewalView,
    pub(super) snapshot: &'a Snapshot,
}

impl Confirmations for WorkerConfirmations<'_> {
    fn newer(&self, session: &SessionId, said: &ProviderClaims) -> Option<Arc<ProviderClaims>> {
        let renewed = self.view.find(session)?;
        is_newer(&renewed, said).then(|| Arc::new(said_now(&renewed, said)))
    }

    fn request(&self, session: SessionId, said: &ProviderClaims) {
        let mut providers = self.snapshot.renewing.iter();
        let Some(provider) = providers.find(|one| one.of.name == said.provider) else {
            return;
        };
        self.view.request(session, || RenewalRequest {
            session,
            provider: Arc::clone(&provider.asked),
            browsers: Arc::clone(&self.snapshot.browsers),
            checked_at: said.checked_at,
            every: Duration::from_secs(provider.of.refresh),
            longest_token: self.snapshot.longest_token,
        });
    }
}

/// Whether the cookie says less: it is older, or of a refresh token that is lost.
fn is_newer(renewed: &RenewedSession, said: &ProviderClaims) -> bool {
    let is_lost = said.has_refresh_token && !renewed.is_renewable;
    renewed.checked_at > said.checked_at || (renewed.checked_at == said.checked_at && is_lost)
}

/// What the cookie would say now.
fn said_now(renewed: &RenewedSession, said: &ProviderClaims) -> ProviderClaims {
    let mut now = said.clone();
    now.checked_at = renewed.checked_at;
    now.has_refresh_token = renewed.is_renewable;
    if let Some(identity) = &renewed.identity {
        now.roles = identity.roles.clone();
        now.name = identity.display_name.clone();
        now.email = identity.email.clone();
    }
    now
}

/// A provider that vouches for people, and whom the service asks that renews their sessions, under one configuration.
pub(super) struct VouchingProvider {
    pub(super) of: SessionProvider,
    asked: Arc<dyn IdentityProvider>,
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
            Ok(identity.map(|identity| BrowserIdentity {
                subject: identity.subject,
                roles: identity.roles,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_word_counts_and_a_lost_token_is_said() {
        let said = ProviderClaims {
            roles: vec!["admin".into()],
            name: Some("Ann".into()),
            checked_at: 100,
            has_refresh_token: true,
            ..ProviderClaims::default()
        };
        let renewed = |checked_at, is_renewable, roles: Option<&str>| RenewedSession {
            identity: roles.map(|role| BrowserIdentity {
                subject: "ann".into(),
                roles: vec![role.into()],
                ..BrowserIdentity::default()
            }),
            checked_at,
            is_renewable,
        };
        for (renewed, newer) in [
            (renewed(99, true, None), false),
            (renewed(99, false, None), false),
            (renewed(100, true, None), false),
            (renewed(100, false, None), true),
            (renewed(101, true, Some("staff")), true),
        ] {
            assert_eq!(is_newer(&renewed, &said), newer, "{renewed:?}");
        }
        let now = said_now(&renewed(101, true, Some("staff")), &said);
        assert_eq!((&*now.roles, now.name), (&["staff".into()][..], None));
        let now = said_now(&renewed(100, false, None), &said);
        assert_eq!((&*now.roles, now.checked_at), (&["admin".into()][..], 100));
        assert!(!now.has_refresh_token);
    }
}
