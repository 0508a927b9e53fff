//! Which kinds of credentials identify the callers of a service, and which one of a request counts.

use super::bad_request::BadRequest;
use super::cookie::SessionCookie;
use super::credential::{Credential, CredentialSource};
use super::intake::Intake;
use super::peer::Scheme;

/// `credentials`: the kinds of credentials that identify callers. One of another kind is the service's own affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedCredentials {
    /// Tokens and API keys.
    pub bearer: bool,
    /// The session cookie.
    pub cookie: bool,
    /// HTTP Basic (RFC 7617): a user and a password, or one of the user's API keys.
    pub basic: bool,
}

/// One kind of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// Tokens and API keys.
    Bearer,
    /// The session cookie.
    Cookie,
    /// HTTP Basic.
    Basic,
}

impl AcceptedCredentials {
    /// These kinds, and no others.
    pub fn of(kinds: &[CredentialKind]) -> Self {
        Self {
            bearer: kinds.contains(&CredentialKind::Bearer),
            cookie: kinds.contains(&CredentialKind::Cookie),
            basic: kinds.contains(&CredentialKind::Basic),
        }
    }
}

impl Default for AcceptedCredentials {
    /// Tokens, API keys and the session cookie.
    fn default() -> Self {
        Self {
            bearer: true,
            cookie: true,
            basic: false,
        }
    }
}

impl Intake {
    /// Keeps the credential that counts for a service that accepts these.
    ///
    /// # Errors
    /// As [`Intake::credential_for`].
    pub fn choose_credential(
        &mut self,
        accepted: AcceptedCredentials,
        cookie: &SessionCookie,
    ) -> Result<(), BadRequest> {
        // what was read already
        if accepted != AcceptedCredentials::default() {
            self.credential = self.credential_for(accepted, cookie, self.site.scheme)?;
        }
        Ok(())
    }

    /// The credential that counts for a service that accepts these: `Authorization` or `X-Api-Key`, else the session cookie
    /// under the name that it has for this scheme.
    ///
    /// # Errors
    /// [`BadRequest::SeveralApiKeys`] for an API key beside a user and a password.
    pub fn credential_for(
        &self,
        accepted: AcceptedCredentials,
        cookie: &SessionCookie,
        scheme: Scheme,
    ) -> Result<Option<Credential>, BadRequest> {
        let field = self.credential.as_ref().filter(|sent| match sent.source() {
            CredentialSource::Bearer | CredentialSource::ApiKey => accepted.bearer,
            CredentialSource::Cookie | CredentialSource::Basic => false,
        });
        let basic = accepted
            .basic
            .then(|| Credential::read_basic(&self.head.headers, self.present))
            .flatten();
        match (field, basic) {
            (Some(_), Some(_)) => Err(BadRequest::SeveralApiKeys),
            (Some(field), None) => Ok(Some(field.clone())),
            (None, Some(basic)) => Ok(Some(basic)),
            (None, None) if accepted.cookie => Ok(cookie.credential(&self.cookies, scheme)),
            (None, None) => Ok(None),
        }
    }
}
