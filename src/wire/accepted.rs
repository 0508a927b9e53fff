//! Which kinds of credentials identify the callers of a service, and which one of a request counts.

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;

use super::bad_request::BadRequest;
use super::cookie::SessionCookie;
use super::credential::{Credential, CredentialSource};
use super::fields::retain_fields;
use super::intake::Intake;
use super::socket_token::own_protocols;

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

    /// Whether they include that of a request.
    pub fn accepts(self, source: CredentialSource) -> bool {
        match source {
            CredentialSource::Bearer | CredentialSource::ApiKey => self.bearer,
            CredentialSource::Cookie => self.cookie,
            CredentialSource::Basic => self.basic,
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

impl AcceptedCredentials {
    /// What a request was sent with that does not count here. `field` is the token or API key of `Authorization`, `X-Api-Key`
    /// or a WebSocket's protocols.
    pub fn unaccepted(self, field: Option<&Credential>, headers: &HeaderMap) -> Option<Credential> {
        let is_token = |sent: &&Credential| match sent.source() {
            CredentialSource::Bearer | CredentialSource::ApiKey => true,
            CredentialSource::Cookie | CredentialSource::Basic => false,
        };
        match field.filter(is_token) {
            Some(token) => (!self.bearer).then(|| token.clone()),
            None if self.basic => None,
            None => Credential::read_basic(headers),
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

    /// Takes the field of a credential out of what is passed on, but for a WebSocket's own protocols beside it.
    pub fn take_out(&mut self, credential: &Credential) {
        let headers = &mut self.head.headers;
        let among_protocols = credential.is_among_protocols();
        let own = among_protocols.then(|| own_protocols(headers)).flatten();
        retain_fields(headers, None, 0, |name| name != credential.field_name());
        if let Some(own) = own {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, own);
        }
    }
}
