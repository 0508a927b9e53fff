//! Sessions of browsers whose users an LDAP directory vouches for: it is asked again beside the requests.

use std::sync::Arc;

use secrecy::SecretString;

use crate::access::Identity;
use crate::ldap::{LdapDirectory, LdapFailure};
use crate::session::{
    BrowserIdentity, IdentityProvider, ProviderFuture, ProviderSession, RefreshedTokens,
    RenewalError,
};
use crate::token::{LDAP, ProviderClaims};

/// The directory, as the service that renews sessions asks it. It has no refresh tokens: the service account looks the user
/// up.
#[derive(Debug)]
pub struct DirectoryProvider {
    ldap: Arc<LdapDirectory>,
    fingerprint: Box<str>,
}

impl DirectoryProvider {
    /// The directory under its name among the providers.
    pub fn new(ldap: Arc<LdapDirectory>) -> Self {
        let fingerprint = ldap.fingerprint();
        Self { ldap, fingerprint }
    }
}

impl IdentityProvider for DirectoryProvider {
    fn name(&self) -> &str {
        LDAP
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn refresh<'a>(
        &'a self,
        _: &'a SecretString,
        _: u64,
    ) -> ProviderFuture<'a, Box<dyn RefreshedTokens + 'a>> {
        Box::pin(async move { Ok(Box::new(LookUp(&self.ldap)) as Box<dyn RefreshedTokens>) })
    }
}

/// What the directory says when it is asked.
struct LookUp<'a>(&'a Arc<LdapDirectory>);

impl RefreshedTokens for LookUp<'_> {
    fn refresh_token(&self) -> Option<&SecretString> {
        None
    }

    fn confirm<'a>(
        &'a self,
        session: &'a ProviderSession,
        _: u64,
    ) -> ProviderFuture<'a, Option<BrowserIdentity>> {
        Box::pin(async move {
            match self.0.look_up(&session.sub).await {
                Ok(found) => Ok(Some(BrowserIdentity {
                    subject: found.subject,
                    roles: found.roles,
                    display_name: found.name,
                    email: found.email,
                })),
                Err(LdapFailure::Refused) => {
                    let why = "the directory does not find its user any more, or has locked them";
                    Err(RenewalError::Ended(why.to_owned()))
                }
                Err(away @ (LdapFailure::Busy | LdapFailure::Unavailable(_))) => {
                    Err(RenewalError::Away(away.to_string()))
                }
            }
        })
    }
}

/// What the cookie of such a session says.
pub(super) fn provider_claims(
    ldap: &LdapDirectory,
    identity: &Identity,
    now: u64,
) -> ProviderClaims {
    ProviderClaims {
        provider: LDAP.into(),
        fingerprint: ldap.fingerprint(),
        roles: identity.roles.to_vec(),
        name: identity.name.clone(),
        email: identity.email.clone(),
        checked_at: now,
        has_refresh_token: true,
    }
}

/// What is recorded of one, but for what is sealed.
pub(super) fn provider_session(said: &ProviderClaims, subject: &str) -> Box<ProviderSession> {
    Box::new(ProviderSession {
        name: said.provider.clone(),
        fingerprint: said.fingerprint.clone(),
        sub: subject.into(),
        sid: None,
        auth_time: Some(said.checked_at),
        refresh_token: None,
        id_token: None,
        roles: said.roles.clone(),
        display_name: said.name.clone(),
        email: said.email.clone(),
        checked_at: said.checked_at,
        turn: 0,
    })
}
