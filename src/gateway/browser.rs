//! What is different where a browser asks: other sites can make it send requests, and people would rather see a page
//! than a 401.

use bytes::Bytes;
use http::Response;

use super::identify::{Identified, Outcome as Credential};
use super::rejection::Rejection;
use super::snapshot::{Service, Snapshot};
use crate::ambient;
use crate::portal::{Next, Visitor};
use crate::wire::{Intake, Target, is_navigation, is_safe};

/// Refuses what another site makes a signed-in browser send: a request that may change something, or opens a connection
/// on which anything can be said.
pub(super) fn refuse_foreign(target: &Target, intake: &Intake, identified: &Identified) -> Result<(), Rejection> {
    let in_session = intake.rides_on_cookie() && matches!(identified.credential, Credential::Holds { .. });
    let harmless = is_safe(&target.method) && intake.upgrade.is_none();
    if in_session && !harmless && !intake.site.sends(&intake.head.headers) {
        return Err(Rejection::CrossOrigin);
    }
    Ok(())
}

/// Sends people to the sign-in page where programs are told that a credential is missing.
pub(super) fn or_sign_in(
    rejection: Rejection,
    service: &Service,
    snapshot: &Snapshot,
    target: &Target,
    intake: &Intake,
) -> Rejection {
    let challenged = matches!(rejection, Rejection::Challenge | Rejection::BadCredential(_));
    if !challenged || !service.login_redirect || !is_navigation(&target.method, &intake.head.headers) {
        return rejection;
    }
    match sign_in(snapshot, target, intake) {
        Some(response) => Rejection::SignIn { because: Box::new(rejection), response: Box::new(response) },
        None => rejection,
    }
}

fn sign_in(snapshot: &Snapshot, target: &Target, intake: &Intake) -> Option<Response<Bytes>> {
    let next = Next::to(&target.path, intake.head.uri.query());
    let address = snapshot.portal.sign_in_path(next.as_ref());
    let visitor = Visitor { site: &intake.site, crumbs: &intake.crumbs, next };
    snapshot.portal.send_to_sign_in(&visitor, &address, ambient::unix_seconds())
}
