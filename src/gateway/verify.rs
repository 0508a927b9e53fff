//! Forward-auth: decides for another proxy, which forwards by itself.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::browser::{Sent, is_foreign};
use super::decide::decide;
use super::identify::{Identified, identify};
use super::record::{Record, Route};
use super::rejection::Rejection;
use super::snapshot::{Service, Snapshot};
use super::worker::{Pinned, Worker};
use crate::access::RequestPath;
use crate::ambient;
use crate::portal::{Next, Visitor};
use crate::wire::{
    self, AskedBy, BadRequest, Credential, CredentialSource, Intake, Original, Target,
    is_navigation,
};

const X_GATELATCH_LOGIN: HeaderName = HeaderName::from_static("x-gatelatch-login");

/// Answers whether the request may pass that a trusted proxy describes: 200 with the identity headers, or why not.
/// `below` is what stands behind the endpoint's own path.
pub(super) fn verify(
    worker: &Worker,
    pinned: &Pinned,
    target: &Target,
    intake: &Intake,
    below: &str,
    record: &mut Record,
) -> Result<Response<Bytes>, Rejection> {
    record.route = Route::Portal;
    if !intake.client.from_trusted_proxy {
        return Err(Rejection::NoProxy);
    }
    let snapshot = &*pinned.snapshot;
    let original =
        Original::read(target, intake, below, snapshot.describes).map_err(Rejection::Unclear)?;
    let question = Question {
        worker,
        pinned,
        intake,
        original,
    };
    question
        .decide(record)
        .map_err(|rejection| question.answer(rejection, record))
}

struct Question<'a> {
    worker: &'a Worker,
    pinned: &'a Pinned,
    intake: &'a Intake,
    original: Original,
}

impl Question<'_> {
    fn decide(&self, record: &mut Record) -> Result<Response<Bytes>, Rejection> {
        let (original, snapshot) = (&self.original, &*self.pinned.snapshot);
        record.method = original.method.clone();
        record.client = self.intake.client.asked_for();
        record.host = original.host.clone();
        record.path = original.path.as_str().into();
        let widest = snapshot.router.widest_paths();
        let mut path = RequestPath::parse(&original.path, widest).map_err(BadRequest::Path)?;
        let index = snapshot
            .router
            .find(&original.host, &path)
            .ok_or(Rejection::NoService)?;
        let service = &snapshot.services[index];
        record.route = Route::Service(index);
        if let Some(paths) = snapshot.router.narrower_paths(index) {
            path = RequestPath::parse(&original.path, paths).map_err(BadRequest::Path)?;
        }
        record.path = path.as_str().into();
        let credential = self.credential();
        let mut identified = self.identify(credential.as_ref());
        record.know(&mut identified, original.site.scheme);
        let request = Sent {
            method: &original.method,
            upgrades: original.upgrades,
            site: &original.site,
        };
        if is_foreign(&request, credential.as_ref(), self.intake, &identified) {
            record.renewal = None;
            return Err(Rejection::CrossOrigin);
        }
        let Identified {
            caller, credential, ..
        } = identified;
        let permit = decide(
            service,
            (&original.method, &path),
            &caller,
            credential,
            record,
        )?;
        let mut response = Response::new(Bytes::new());
        if let Some(identity) = permit.identity() {
            service
                .forwarding
                .identity
                .set_fields(response.headers_mut(), identity);
        }
        wire::forbid_storing(response.headers_mut());
        Ok(response)
    }

    /// The bearer token or API key, else the session cookie under the name that it has for the original request.
    fn credential(&self) -> Option<Credential> {
        let bearer = self
            .intake
            .credential
            .clone()
            .filter(|sent| sent.source() != CredentialSource::Cookie);
        let cookie = &self.pinned.snapshot.cookie;
        bearer.or_else(|| cookie.credential(&self.intake.cookies, self.original.site.scheme))
    }

    fn identify(&self, credential: Option<&Credential>) -> Identified {
        let address = self.intake.client.asked_for();
        let identified = identify(
            self.worker,
            self.pinned,
            credential,
            address,
            ambient::unix_seconds(),
        );
        self.worker.note_refusal(&identified);
        identified
    }

    /// Says it in the way that the proxy understands.
    fn answer(&self, rejection: Rejection, record: &Record) -> Rejection {
        let snapshot = &*self.pinned.snapshot;
        let service = match record.route {
            Route::Service(index) => Some(&snapshot.services[index]),
            Route::None | Route::Portal => None,
        };
        let response = match (self.original.asked_by, rejection.status()) {
            (_, StatusCode::NOT_FOUND) => {
                Some(wire::problem(StatusCode::FORBIDDEN, "Access denied"))
            }
            (AskedBy::Nginx, StatusCode::BAD_REQUEST) => {
                Some(wire::problem(StatusCode::FORBIDDEN, &rejection.detail()))
            }
            (asked_by, StatusCode::UNAUTHORIZED) => {
                service.and_then(|service| self.challenge(asked_by, &rejection, service, snapshot))
            }
            (AskedBy::Proxy | AskedBy::Nginx, _) => None,
        };
        match response {
            Some(response) => Rejection::Instead {
                because: Box::new(rejection),
                response: Box::new(response),
            },
            None => rejection,
        }
    }

    /// The way to the sign-in page of the original host.
    fn challenge(
        &self,
        asked_by: AskedBy,
        rejection: &Rejection,
        service: &Service,
        snapshot: &Snapshot,
    ) -> Option<Response<Bytes>> {
        let original = &self.original;
        if !service.login_redirect || !snapshot.portal.has_page() {
            return None;
        }
        let path = RequestPath::parse(&original.path, service.forwarding.paths).ok()?;
        let next = Next::to(&path, original.query.as_deref());
        let address = original
            .site
            .url(&snapshot.portal.sign_in_path(next.as_ref()))?;
        match asked_by {
            AskedBy::Nginx => {
                let mut response = rejection.respond();
                response
                    .headers_mut()
                    .insert(X_GATELATCH_LOGIN, HeaderValue::try_from(address).ok()?);
                Some(response)
            }
            AskedBy::Proxy if is_navigation(&original.method, &self.intake.head.headers) => {
                let visitor = Visitor {
                    site: &original.site,
                    cookies: &self.intake.cookies,
                    next,
                };
                snapshot
                    .portal
                    .send_to_sign_in(&visitor, &address, ambient::unix_seconds())
            }
            AskedBy::Proxy => None,
        }
    }
}
