//! Forward-auth: decides for another proxy, which forwards by itself.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::browser::{BrowserRequest, check_sender};
use super::decide::enforce;
use super::facts::{RequestFacts, Route};
use super::rate::count;
use super::rejection::Rejection;
use super::renewal::Renewal;
use super::sender::{Presented, identify_presented};
use super::snapshot::ServiceSnapshot;
use super::worker::{Pinned, Worker};
use crate::access::{NoDestination, RequestPath, RequestedPaths};
use crate::ambient;
use crate::identify::Identified;
use crate::portal::{ReturnPath, Visitor};
use crate::wire::{
    self, Credential, CredentialSource, Destination, DestinationField, ForwardAuthProxy, Intake,
    OriginalError, OriginalRequest, is_navigation, same_service,
};

const X_GATELATCH_LOGIN: HeaderName = HeaderName::from_static("x-gatelatch-login");

/// Answers whether the request may pass that a trusted proxy describes: 200 with the identity headers, or why not.
/// `below` is the rest of the path behind the endpoint's own.
pub(super) fn verify(
    worker: &Worker,
    pinned: &Pinned,
    intake: &Intake,
    below: &str,
    facts: &mut RequestFacts,
) -> Result<Response<Bytes>, Rejection> {
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
    };
    question.decide(facts)
}

struct Question<'a> {
    worker: &'a Worker,
    pinned: &'a Pinned,
    intake: &'a Intake,
    original: OriginalRequest,
}

impl Question<'_> {
    /// The gateway's own endpoints are no exception: behind another proxy these paths may be the service's.
    fn decide(&self, facts: &mut RequestFacts) -> Result<Response<Bytes>, Rejection> {
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
                self.enforce((service, found.service()), paths, facts)
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
        (service, index): (&ServiceSnapshot, usize),
        paths: RequestedPaths<'_>,
        facts: &mut RequestFacts,
    ) -> Result<Response<Bytes>, Rejection> {
        let original = &self.original;
        let mut credential = self.credential();
        let presented = Presented {
            credential: &mut credential,
            cookies: &self.intake.cookies,
            scheme: original.site.scheme,
        };
        let address = self.intake.client.asked_for();
        let mut identified = identify_presented(self.worker, self.pinned, presented, address);
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
        count((self.pinned, index), &permit, &caller, facts)?;
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
            // nginx knows no other refusals than 401 and 403: by `Retry-After` it tells this one
            (ForwardAuthProxy::Nginx, StatusCode::TOO_MANY_REQUESTS) => {
                let mut response = rejection.respond();
                *response.status_mut() = StatusCode::FORBIDDEN;
                Some(response)
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
        if !service.login_redirect || !snapshot.portal.has_page() {
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
