//! Forward-auth: decides for another proxy, which forwards by itself.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::basic::UncheckedPair;
use super::browser::{BrowserRequest, check_sender};
use super::decide::enforce;
use super::facts::{RequestFacts, Route};
use super::rejection::Rejection;
use super::renewal::Renewal;
use super::sender::{Presented, identify_presented};
use super::snapshot::ServiceSnapshot;
use super::worker::{Pinned, Worker};
use crate::access::{NoDestination, RequestPath, RequestedPaths};
use crate::ambient;
use crate::identify::{CredentialError, Identified};
use crate::portal::{ReturnPath, Visitor};
use crate::wire::{
    self, BadRequest, Credential, Destination, DestinationField, ForwardAuthProxy, Intake,
    OriginalError, OriginalRequest, is_navigation, same_service,
};

const X_GATELATCH_LOGIN: HeaderName = HeaderName::from_static("x-gatelatch-login");

/// What forward-auth comes to, where it does not refuse.
pub(super) enum VerifyAnswer {
    /// The request may pass.
    Permitted(Response<Bytes>),
    /// A user name and a password have to be checked first.
    Unchecked(UncheckedPair),
}

/// Answers whether the request may pass that a trusted proxy describes: 200 with the identity headers, or why not.
/// `below` is the rest of the path behind the endpoint's own.
pub(super) fn verify(
    worker: &Worker,
    pinned: &Pinned,
    intake: &Intake,
    (below, refused): (&str, Option<CredentialError>),
    facts: &mut RequestFacts,
) -> Result<VerifyAnswer, Rejection> {
    if !intake.client.from_trusted_proxy {
        return Err(Rejection::NoProxy);
    }
    // what proxies get is for proxies, whoever sees it in the end
    facts.seen = None;
    let describes = pinned.snapshot.describes;
    let original = OriginalRequest::read(intake, below, describes).map_err(Rejection::Unclear)?;
    let question = Question {
        worker,
        pinned,
        intake,
        original,
        refused,
    };
    question.decide(facts)
}

struct Question<'a> {
    worker: &'a Worker,
    pinned: &'a Pinned,
    intake: &'a Intake,
    original: OriginalRequest,
    /// Why the user name and the password are not accepted, where they were checked.
    refused: Option<CredentialError>,
}

impl Question<'_> {
    /// The gateway's own endpoints are no exception: behind another proxy these paths may be the service's.
    fn decide(&self, facts: &mut RequestFacts) -> Result<VerifyAnswer, Rejection> {
        let (original, snapshot) = (&self.original, &*self.pinned.snapshot);
        facts.method = original.method.clone();
        facts.client = self.intake.client.asked_for();
        facts.host = original.host.clone();
        facts.path = original.path.as_str().into();
        let found = match snapshot.router.resolve(&original.host, &original.path) {
            Ok(found) => found,
            Err(error) => {
                if let NoDestination::ServicePath(index, _) = error {
                    facts.route = Route::Service(index);
                }
                return Err(self.answer(error.into(), None));
            }
        };
        let service = &snapshot.services[found.service()];
        facts.route = Route::Service(found.service());
        facts.set_path(found.path().as_str());
        self.destination(found.service())
            .and_then(|destination| {
                let paths = RequestedPaths {
                    target: found.path(),
                    destination: destination.as_ref(),
                };
                self.enforce(service, paths, facts)
            })
            .map_err(|rejection| self.answer(rejection, Some((service, found.path()))))
    }

    /// The path of WebDAV's `Destination`. A method that needs one is not decided on without it: the proxy does not pass
    /// on what it forwards (RFC 4918, sections 9.8 and 9.9).
    fn destination(&self, service: usize) -> Result<Option<RequestPath>, Rejection> {
        let original = &self.original;
        let Some(field) = DestinationField::read(&self.intake.head.headers)? else {
            return match original.method.as_str() {
                "COPY" | "MOVE" => Err(Rejection::Unclear(OriginalError::Field("Destination"))),
                _ => Ok(None),
            };
        };
        let sent = field.path_on(Some(&original.site))?;
        let found = self.pinned.snapshot.router.resolve(&original.host, sent);
        Ok(Some(same_service(
            found.map(Destination::Service),
            service,
        )?))
    }

    fn enforce(
        &self,
        service: &ServiceSnapshot,
        paths: RequestedPaths<'_>,
        facts: &mut RequestFacts,
    ) -> Result<VerifyAnswer, Rejection> {
        let original = &self.original;
        let mut credential = self.credential(service)?;
        let address = self.intake.client.asked_for();
        if self.refused.is_none()
            && let Some(pair) = self
                .worker
                .unchecked(self.pinned, credential.as_ref(), address)
        {
            return Ok(VerifyAnswer::Unchecked(pair));
        }
        let presented = Presented {
            credential: &mut credential,
            cookies: &self.intake.cookies,
            scheme: original.site.scheme,
        };
        let identified = identify_presented(self.worker, self.pinned, presented, address);
        let mut identified = identified.refused_for(self.refused);
        facts.identify(&identified);
        let request = BrowserRequest {
            method: &original.method,
            upgrades: original.upgrades,
            site: &original.site,
            cors: service.cors.as_ref(),
        };
        check_sender(&request, credential.as_ref(), self.intake, &identified)?;
        facts.renewal = Renewal::of(&mut identified, original.site.scheme);
        let Identified {
            caller, credential, ..
        } = identified;
        let permit = enforce(
            service,
            (&original.method, paths),
            &caller,
            &credential,
            facts,
        )?;
        let mut response = Response::new(Bytes::new());
        if let Some(identity) = permit.identity() {
            service
                .forwarding
                .identity
                .set_fields(response.headers_mut(), identity);
        }
        wire::forbid_storing(response.headers_mut());
        Ok(VerifyAnswer::Permitted(response))
    }

    /// The credential that counts for the service; the session cookie under the name that it has for the original request.
    fn credential(&self, service: &ServiceSnapshot) -> Result<Option<Credential>, BadRequest> {
        let cookie = &self.pinned.snapshot.cookie;
        let scheme = self.original.site.scheme;
        self.intake
            .credential_for(service.credentials, cookie, scheme)
    }

    /// Says it in the way that the proxy understands.
    fn answer(
        &self,
        rejection: Rejection,
        found: Option<(&ServiceSnapshot, &RequestPath)>,
    ) -> Rejection {
        let response = match (self.original.asked_by, rejection.status()) {
            (_, StatusCode::NOT_FOUND) => {
                Some(wire::problem(StatusCode::FORBIDDEN, "Access denied"))
            }
            (ForwardAuthProxy::Nginx, StatusCode::BAD_REQUEST | StatusCode::BAD_GATEWAY) => {
                Some(wire::problem(StatusCode::FORBIDDEN, &rejection.detail()))
            }
            (asked_by, StatusCode::UNAUTHORIZED) => {
                found.and_then(|found| self.challenge(asked_by, &rejection, found))
            }
            (ForwardAuthProxy::Proxy | ForwardAuthProxy::Nginx, _) => None,
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
        asked_by: ForwardAuthProxy,
        rejection: &Rejection,
        (service, path): (&ServiceSnapshot, &RequestPath),
    ) -> Option<Response<Bytes>> {
        let (original, snapshot) = (&self.original, &*self.pinned.snapshot);
        let takes_sessions = service.login_redirect && service.credentials.cookie;
        if !takes_sessions || !snapshot.portal.has_page() {
            return None;
        }
        let next = ReturnPath::to(path, original.query.as_deref());
        let address = original
            .site
            .url(&snapshot.portal.sign_in_path(next.as_ref()))?;
        match asked_by {
            ForwardAuthProxy::Nginx => {
                let mut response = rejection.respond();
                response
                    .headers_mut()
                    .insert(X_GATELATCH_LOGIN, HeaderValue::try_from(address).ok()?);
                Some(response)
            }
            ForwardAuthProxy::Proxy
                if is_navigation(&original.method, &self.intake.head.headers) =>
            {
                let visitor = Visitor {
                    site: &original.site,
                    cookies: &self.intake.cookies,
                    next,
                };
                snapshot
                    .portal
                    .send_to_sign_in(&visitor, &address, ambient::unix_seconds())
            }
            ForwardAuthProxy::Proxy => None,
        }
    }
}
