//! What a session says that begins with a provider.

use crate::identify::SessionProvider;
use crate::oidc::{Provider, ProviderSignIn, UsersMode};
use crate::token::ProviderClaims;

/// What goes into the cookie of somebody who has signed in at `now`.
pub(super) fn claims_of(
    provider: &Provider,
    signed_in: &ProviderSignIn,
    now: u64,
) -> ProviderClaims {
    let identity = &signed_in.identity;
    // of people of the list the list says the roles at every request
    let roles = match provider.settings().users {
        UsersMode::Any => identity.roles.clone(),
        UsersMode::Listed => Vec::new(),
    };
    ProviderClaims {
        provider: provider.settings().name.as_str().into(),
        fingerprint: SessionProvider::of(provider.settings()).fingerprint,
        roles,
        name: identity.name.clone(),
        email: identity.email.clone(),
        checked_at: now,
        has_refresh_token: signed_in.refresh_token.is_some(),
    }
}
