//! Sessions that began with an OpenID provider: what the provider said stands in the cookie, and is confirmed by it now and
//! then, beside requests. None of this waits.

use std::sync::Arc;

use super::remembered::{Admitted, ProviderCheck};
use super::{Authenticator, CredentialError, Holder, SessionRenewal, admit, find_user, refused};
use crate::access::{Identity, Subjects};
use crate::oidc::{ProviderSettings, SubjectClaim, UsersMode};
use crate::token::{ProviderClaims, SessionId, VerifiedClaims};
use crate::users::{Directory, NEVER, UserRefusal};

/// A provider of the configuration, as far as its sessions are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionProvider {
    /// Its name.
    pub name: Box<str>,
    /// [`ProviderClaims::fingerprint`] of its settings: a session that began under others is refused.
    pub fingerprint: Box<str>,
    /// Whether its people must be on the user list, whose roles count then.
    pub is_listed: bool,
    /// How many seconds after it has confirmed an identity it must do so again.
    pub refresh: u64,
}

impl SessionProvider {
    /// What the configuration says about it.
    pub fn of(settings: &ProviderSettings) -> Self {
        let subject = match settings.subject {
            SubjectClaim::Sub => "sub",
            SubjectClaim::PreferredUsername => "preferred_username",
            SubjectClaim::Email => "email",
        };
        let parts = [&*settings.issuer, &*settings.client.id, subject];
        Self {
            name: settings.name.as_str().into(),
            fingerprint: ProviderClaims::fingerprint(parts),
            is_listed: settings.users == UsersMode::Listed,
            refresh: settings.refresh.as_secs(),
        }
    }
}

/// What providers have said of sessions since their cookies were signed. Both are answered from memory.
pub trait Confirmations {
    /// What counts of a session now, where its cookie says less.
    fn newer(&self, session: &SessionId, said: &ProviderClaims) -> Option<Arc<ProviderClaims>>;

    /// Has the provider confirm a session soon, with its refresh token.
    fn request(&self, session: SessionId, said: &ProviderClaims);
}

/// What a look at an admitted session gives.
pub(super) enum Look {
    Holds(Holder),
    /// The provider has said something since: that counts from now on.
    Newer(Box<Admitted>),
}

/// Whose session it is, if whoever vouches for its holder still does.
pub(super) fn admit_session(
    checks: &Authenticator<'_>,
    claims: VerifiedClaims,
) -> Result<Admitted, CredentialError> {
    let Some(said) = &claims.provider else {
        return admit(checks.directory, claims, |claims| claims.signed_in_at);
    };
    let (identity, provider) = vouched(checks, &claims.subject, said, claims.signed_in_at)?;
    let check = ProviderCheck {
        due: said.checked_at.saturating_add(provider.refresh / 3 * 2),
        end: (!said.has_refresh_token).then(|| said.checked_at.saturating_add(provider.refresh)),
        is_confirmed: false,
        look: (provider.refresh / 3).max(1),
    };
    Ok(Admitted {
        claims,
        identity: Arc::new(identity),
        key_expires_at: NEVER,
        check: Some(check),
    })
}

/// Whose access token it is. What the provider said when it was made counts for as long as it is valid.
pub(super) fn admit_bearer(
    checks: &Authenticator<'_>,
    claims: VerifiedClaims,
) -> Result<Admitted, CredentialError> {
    let Some(said) = &claims.provider else {
        return admit(checks.directory, claims, |claims| claims.issued_at);
    };
    let (identity, _) = vouched(checks, &claims.subject, said, claims.issued_at)?;
    Ok(Admitted {
        claims,
        identity: Arc::new(identity),
        key_expires_at: NEVER,
        check: None,
    })
}

/// Whom a provider of the configuration vouches for. `age` is what counts for `tokens_valid_after`.
fn vouched<'c>(
    checks: &Authenticator<'c>,
    subject: &str,
    said: &ProviderClaims,
    age: Option<u64>,
) -> Result<(Identity, &'c SessionProvider), CredentialError> {
    let directory = checks.directory;
    let is_it =
        |one: &&SessionProvider| one.name == said.provider && one.fingerprint == said.fingerprint;
    let provider = checks.providers.iter().find(is_it);
    let provider = provider.ok_or(CredentialError::ProviderGone)?;
    let identity = if provider.is_listed {
        let user = find_user(directory, subject, age)?;
        Identity {
            provider: Some(said.provider.clone()),
            ..Identity::clone(&user.identity)
        }
    } else {
        admit_unlisted(directory, identity_of(subject, said)).map_err(refused)?
    };
    Ok((identity, provider))
}

/// Somebody whom a provider has identified; whether the user list has the name, [`admit_unlisted`] checks.
pub fn identity_of(subject: &str, said: &ProviderClaims) -> Identity {
    Identity {
        subject: subject.into(),
        roles: said.roles.as_slice().into(),
        name: said.name.clone(),
        email: said.email.clone(),
        claims: Vec::new(),
        subjects: Subjects::Foreign,
        provider: Some(said.provider.clone()),
    }
}

/// Somebody who is not on the user list, as one of the users: `user` conditions are about them as well.
///
/// # Errors
/// [`UserRefusal`] where a user of the list has the name, in whatever case: nobody is two people.
pub fn admit_unlisted(
    directory: &Directory,
    mut identity: Identity,
) -> Result<Identity, UserRefusal> {
    identity.subjects = Subjects::Foreign;
    directory.admit_foreign(&identity, None)?;
    identity.subjects = Subjects::Users;
    Ok(identity)
}

/// The session under the newest that its provider has said.
pub(super) fn settle(
    checks: &Authenticator<'_>,
    admitted: Admitted,
    now: u64,
) -> Result<(Holder, Admitted), CredentialError> {
    match look_at(checks, &admitted, now)? {
        Look::Holds(holder) => Ok((holder, admitted)),
        Look::Newer(newer) => Ok((session_holder(checks, &newer, now)?, *newer)),
    }
}

/// What may change while the session lives. Where the provider was asked in time, only numbers are compared.
pub(super) fn look_at(
    checks: &Authenticator<'_>,
    admitted: &Admitted,
    now: u64,
) -> Result<Look, CredentialError> {
    if let (Some(check), Some(said)) = (admitted.check, &admitted.claims.provider)
        && now >= check.due
        && let Some(newer) = checks.confirmations.newer(&admitted.claims.session, said)
    {
        let mut newer = admit_session(checks, admitted.claims.with_provider(newer))?;
        if let Some(check) = &mut newer.check {
            check.is_confirmed = true;
        }
        return Ok(Look::Newer(Box::new(newer)));
    }
    session_holder(checks, admitted, now).map(Look::Holds)
}

fn session_holder(
    checks: &Authenticator<'_>,
    admitted: &Admitted,
    now: u64,
) -> Result<Holder, CredentialError> {
    let (browsers, claims) = (checks.browsers, &admitted.claims);
    let mut holder = admitted.holder(checks.revocations, now)?;
    holder.connection_ends_at = browsers.last_second(claims);
    let mut is_confirmed = false;
    if let (Some(check), Some(said)) = (admitted.check, &claims.provider) {
        match check.end {
            Some(end) if now >= end => return Err(CredentialError::Unconfirmed),
            Some(end) => holder.connection_ends_at = holder.connection_ends_at.min(end),
            None if now >= check.due => {
                checks.confirmations.request(claims.session, said);
            }
            None => {}
        }
        is_confirmed = check.is_confirmed;
        holder.look_again = Some(check.look);
    }
    if is_confirmed || browsers.is_due(claims, now) {
        holder.renewal = Some(SessionRenewal {
            session: Box::new(claims.clone()),
            is_confirmed,
        });
    }
    Ok(holder)
}

#[cfg(test)]
mod tests;
