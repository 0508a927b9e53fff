//! Which kinds of credentials identify the callers of a service, and which one of a request counts.

use http::HeaderMap;

use super::bad_request::BadRequest;
use super::cookie::SessionCookie;
use super::credential::{Credential, CredentialSource};
use super::intake::Intake;

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

    /// Whether the session cookie is among them.
    pub fn has_cookie(self) -> bool {
        self.cookie
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

impl AcceptedCredentials {
    /// The credential that counts: `field`, which is that of `Authorization` or `X-Api-Key`, else the session cookie.
    ///
    /// # Errors
    /// [`BadRequest::SeveralApiKeys`] for an API key beside a user and a password.
    pub fn choose(
        self,
        field: Option<&Credential>,
        headers: &HeaderMap,
        cookie: impl FnOnce() -> Option<Credential>,
    ) -> Result<Option<Credential>, BadRequest> {
        let field = field.filter(|sent| match sent.source() {
            CredentialSource::Bearer | CredentialSource::ApiKey => self.bearer,
            CredentialSource::Cookie | CredentialSource::Basic => false,
        });
        let basic = self
            .basic
            .then(|| Credential::read_basic(headers))
            .flatten();
        match (field, basic) {
            (Some(_), Some(_)) => Err(BadRequest::SeveralApiKeys),
            (Some(field), None) => Ok(Some(field.clone())),
            (None, Some(basic)) => Ok(Some(basic)),
            (None, None) if self.cookie => Ok(cookie()),
            (None, None) => Ok(None),
        }
    }
}

impl Intake {
    /// Keeps the credential that counts for a service that accepts these.
    ///
    /// # Errors
    /// As [`AcceptedCredentials::choose`].
    pub fn choose_credential(
        &mut self,
        accepted: AcceptedCredentials,
        cookie: &SessionCookie,
    ) -> Result<(), BadRequest> {
        // what was read already
        if accepted != AcceptedCredentials::default() {
            let session = || cookie.credential(&self.cookies, self.site.scheme);
            self.credential =
                accepted.choose(self.credential.as_ref(), &self.head.headers, session)?;
        }
        Ok(())
    }
}
