//! What is different where a browser asks: other sites can make it send requests, and people would rather see a page
//! than a 401.

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use super::rejection::Rejection;
use super::snapshot::{ServiceSnapshot, Snapshot};
use crate::access::{AuthenticationDemand, RequestPath};
use crate::ambient;
use crate::identify::{CredentialError, CredentialOutcome, Identified};
use crate::portal::{ReturnPath, Visitor};
use crate::wire::{
    AcceptedCredentials, Cors, Credential, CredentialSource, Intake, Site, is_navigation,
    is_of_page, is_safe,
};

/// Refuses what another site makes a signed-in browser send. It does not count as a use of the session, which ends as it
/// would have.
pub(super) fn refuse_foreign(
    service: &ServiceSnapshot,
    intake: &Intake,
    identified: &Identified,
) -> Result<(), Rejection> {
    let request = BrowserRequest {
        method: &intake.head.method,
        upgrades: intake.upgrade.is_some(),
        site: &intake.site,
        cors: service.cors.as_ref(),
    };
    let credential = intake.credential.as_ref();
    check_sender(&request, credential, &intake.head.headers, identified)
}

/// The parts of a request that a cross-site request forgery could abuse.
pub(super) struct BrowserRequest<'a> {
    pub(super) method: &'a Method,
    pub(super) upgrades: bool,
    pub(super) site: &'a Site,
    /// That of the service, which may let pages of other origins act.
    pub(super) cors: Option<&'a Cors>,
}

/// Refuses what another site makes a signed-in browser send: a request that may change something, or opens a connection
/// on which anything can be said.
pub(super) fn check_sender(
    request: &BrowserRequest<'_>,
    credential: Option<&Credential>,
    headers: &HeaderMap,
    identified: &Identified,
) -> Result<(), Rejection> {
    let from_cookie =
        credential.is_some_and(|credential| credential.source() == CredentialSource::Cookie);
    let in_session =
        from_cookie && matches!(identified.credential, CredentialOutcome::Holds { .. });
    let harmless = is_safe(request.method) && !request.upgrades;
    // browsers add a password that they know to what other sites make them send; programs say nothing of a site
    let by_password = credential
        .is_some_and(|credential| credential.source() == CredentialSource::Basic)
        && request.site.names_sender(headers);
    if !(in_session || by_password) || harmless {
        return Ok(());
    }
    if request.cors.is_some_and(|cors| cors.lets_act(headers)) {
        return Ok(());
    }
    let checked = request.site.check_sender(headers);
    checked.map_err(Rejection::CrossOrigin)
}

impl Rejection {
    /// Asks no browser for a password that a page's own requests lack: it would show a dialog, in the middle of a page that
    /// knows how to sign people in. Where a password is all that a service accepts, there is no other way.
    pub(super) fn without_dialog(
        mut self,
        accepted: AcceptedCredentials,
        headers: &HeaderMap,
    ) -> Self {
        if let Self::Challenge(challenges) | Self::BadCredential(_, challenges) = &mut self
            && (accepted.bearer || accepted.cookie)
        {
            challenges.basic &= !is_of_page(headers);
        }
        self
    }
}

/// Redirects browsers to the sign-in page where programs receive 401.
pub(super) fn or_sign_in(
    rejection: Rejection,
    service: &ServiceSnapshot,
    snapshot: &Snapshot,
    path: &RequestPath,
    intake: &Intake,
) -> Rejection {
    let challenged = matches!(
        rejection,
        Rejection::Challenge(_) | Rejection::BadCredential(..) | Rejection::StepUp(..)
    );
    if !challenged
        || !service.login_redirect
        || !service.credentials.cookie
        || !is_navigation(&intake.head.method, &intake.head.headers)
    {
        return rejection;
    }
    match sign_in(snapshot, path, intake, &rejection) {
        Some(response) => Rejection::Instead {
            because: Box::new(rejection),
            response: Box::new(response),
        },
        None => rejection,
    }
}

fn sign_in(
    snapshot: &Snapshot,
    path: &RequestPath,
    intake: &Intake,
    rejection: &Rejection,
) -> Option<Response<Bytes>> {
    let visitor = Visitor {
        site: &intake.site,
        cookies: &intake.cookies,
        next: ReturnPath::to(path, intake.head.uri.query()),
    };
    let way = WayIn::of(snapshot, rejection, intake.credential.as_ref(), &visitor);
    way.send(snapshot, &visitor, &way.path)
}

/// Where a browser goes that is not let in.
pub(super) struct WayIn {
    /// A path of the gateway's own.
    pub(super) path: String,
    /// Whether the browser has a session, so that it does not come back for want of a cookie.
    has_session: bool,
}

impl WayIn {
    /// The way for a browser whose request is rejected so.
    pub(super) fn of(
        snapshot: &Snapshot,
        rejection: &Rejection,
        credential: Option<&Credential>,
        visitor: &Visitor<'_>,
    ) -> Self {
        let (portal, next) = (&snapshot.portal, visitor.next.as_ref());
        if let Rejection::StepUp(demand, _) = rejection {
            return Self {
                path: portal.step_up_path(visitor, credential, *demand, ambient::unix_seconds()),
                has_session: true,
            };
        }
        let confirm = to_be_confirmed(snapshot, rejection, credential, next);
        let mut demand = AuthenticationDemand::default();
        if let Rejection::Challenge(asked) | Rejection::BadCredential(_, asked) = rejection {
            demand = asked.sign_in;
        }
        Self {
            has_session: confirm.is_some(),
            path: confirm.unwrap_or_else(|| portal.sign_in_path_for(next, demand)),
        }
    }

    /// Sends a browser there, at this address of the path.
    pub(super) fn send(
        &self,
        snapshot: &Snapshot,
        visitor: &Visitor<'_>,
        address: &str,
    ) -> Option<Response<Bytes>> {
        let portal = &snapshot.portal;
        if self.has_session {
            return portal.send_to_confirm(address);
        }
        portal.send_to_sign_in(visitor, address, ambient::unix_seconds())
    }
}

/// Where a browser goes whose session only lacks the word of its provider: that may give it without a question.
fn to_be_confirmed(
    snapshot: &Snapshot,
    rejection: &Rejection,
    credential: Option<&Credential>,
    next: Option<&ReturnPath>,
) -> Option<String> {
    if !matches!(
        rejection,
        Rejection::BadCredential(CredentialError::Unconfirmed, _)
    ) {
        return None;
    }
    snapshot
        .portal
        .confirm_path(credential?.token(), next, ambient::unix_seconds())
}
