//! Forward-auth: the decision on a request that another proxy describes, and forwards by itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::browser::{BrowserRequest, WayIn, check_sender};
use super::decide::enforce;
use super::facts::{RequestFacts, Route};
use super::rate::count;
use super::rejection::Rejection;
use super::renewal::Renewal;
use super::sender::{Presented, identify_presented, unaccepted_secret, withhold_own};
use super::snapshot::ServiceSnapshot;
use super::unchecked::{Sender, UncheckedPair};
use super::worker::{Pinned, Worker};
use crate::access::{ClientAddress, NoDestination, Permit, RequestPath, RequestedPaths};
use crate::identify::{CredentialError, CredentialOutcome, Identified};
use crate::portal::{ReturnPath, Visitor};
use crate::wire::{
    self, BadRequest, Credential, CredentialSource, Destination, DestinationField,
    ForwardAuthProxy, GatewayCookies, OriginalError, OriginalRequest, is_navigation, same_service,
    with_socket_token,
};

const X_GATELATCH_LOGIN: HeaderName = HeaderName::from_static("x-gatelatch-login");

/// A request that another proxy asks about.
pub(super) struct Question<'a> {
    pub(super) worker: &'a Worker,
    pub(super) pinned: &'a Pinned,
    pub(super) original: &'a OriginalRequest,
    pub(super) sent: SentHead<'a>,
}

/// What the client of that proxy sent, as far as the proxy passes it on.
pub(super) struct SentHead<'a> {
    pub(super) headers: &'a HeaderMap,
    /// Of a field; one of a cookie does not count, since its name depends on how the client came.
    pub(super) credential: Option<&'a Credential>,
    pub(super) cookies: &'a GatewayCookies,
    pub(super) client: ClientAddress,
    /// Why the user name and the password are not accepted, where they were checked.
    pub(super) refused: Option<CredentialError>,
}

/// What comes of a question that is not refused.
pub(super) enum Answered<T> {
    /// The proxy may forward the request.
    Permitted(T),
    /// A user name and a password have to be checked first.
    Unchecked(UncheckedPair),
}

/// A request that the proxy may forward.
pub(super) struct Permitted<'p> {
    pub(super) permit: Permit<'p>,
    pub(super) service: &'p ServiceSnapshot,
    /// What identified the caller, or did not.
    pub(super) credential: Option<&'p Credential>,
    /// What the service does not accept and shall not get.
    pub(super) secret: Option<&'p Credential>,
}

impl Question<'_> {
    /// The gateway's own endpoints are no exception: behind another proxy these paths may be the service's.
    ///
    /// # Errors
    /// The rejection, said in the way that the proxy understands.
    pub(super) fn decide<T>(
        &self,
        facts: &mut RequestFacts,
        allow: impl FnOnce(Permitted<'_>) -> T,
    ) -> Result<Answered<T>, Rejection> {
        let (original, snapshot) = (self.original, &*self.pinned.snapshot);
        facts.method = original.method.clone();
        facts.client = self.sent.client;
        if facts.host != original.host {
            facts.host = original.host.clone();
        }
        facts.set_path(&original.path);
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
                self.enforce((service, found.service()), paths, facts, allow)
            })
            .map_err(|rejection| {
                let metadata = || snapshot.metadata_url(&original.site, service);
                let rejection = rejection.naming(metadata);
                let rejection = rejection.without_dialog(service.credentials, self.sent.headers);
                self.answer(rejection, Some((service, found.path())))
            })
    }

    /// The path of WebDAV's `Destination`. A method that needs one is not decided on without it: the proxy does not pass
    /// on what it forwards (RFC 4918, sections 9.8 and 9.9).
    fn destination(&self, service: usize) -> Result<Option<RequestPath>, Rejection> {
        let original = self.original;
        let Some(field) = DestinationField::read(self.sent.headers)? else {
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

    fn enforce<T>(
        &self,
        (service, index): (&ServiceSnapshot, usize),
        paths: RequestedPaths<'_>,
        facts: &mut RequestFacts,
        allow: impl FnOnce(Permitted<'_>) -> T,
    ) -> Result<Answered<T>, Rejection> {
        let (original, sent) = (self.original, &self.sent);
        let accepted = service.credentials;
        let field = self.field()?;
        let snapshot = &*self.pinned.snapshot;
        let secret = unaccepted_secret(snapshot, accepted, field.as_ref(), sent.headers);
        let session = || self.session_cookie();
        let mut credential = accepted.choose(field.as_ref(), sent.headers, session)?;
        let presented = Presented {
            credential: &mut credential,
            cookies: sent.cookies,
            scheme: original.site.scheme,
        };
        let client = (sent.client, sent.refused);
        let mut identified = match identify_presented(self.worker, self.pinned, presented, client) {
            Sender::Identified(identified) => identified,
            Sender::Unchecked(pair) => return Ok(Answered::Unchecked(pair)),
        };
        facts.identify(&identified);
        let request = BrowserRequest {
            method: &original.method,
            upgrades: original.upgrades,
            site: &original.site,
            cors: service.cors.as_ref(),
        };
        check_sender(&request, credential.as_ref(), sent.headers, &identified)?;
        facts.renewal = Renewal::of(&mut identified, original.site.scheme);
        let Identified {
            caller,
            credential: outcome,
            ..
        } = identified;
        let permit = enforce(service, (&original.method, paths), &caller, &outcome, facts)?;
        count((self.pinned, index), &permit, &caller, facts)?;
        if matches!(outcome, CredentialOutcome::Refused(_)) && permit.denial().is_none() {
            withhold_own(snapshot, credential.as_mut());
        }
        Ok(Answered::Permitted(allow(Permitted {
            permit,
            service,
            credential: credential.as_ref(),
            secret: secret.as_ref(),
        })))
    }

    /// The token or API key of a field, or that of a WebSocket's protocols.
    fn field(&self) -> Result<Option<Credential>, BadRequest> {
        let is_of_field = |sent: &&Credential| {
            sent.source() != CredentialSource::Cookie && !sent.is_among_protocols()
        };
        let bearer = self.sent.credential.filter(is_of_field).cloned();
        if self.original.upgrades {
            with_socket_token(bearer, self.sent.headers)
        } else {
            Ok(bearer)
        }
    }

    /// The credential that shows who sees a refusal: that of a field, else the session cookie.
    ///
    /// # Errors
    /// [`BadRequest`] where it is not clear which token counts.
    pub(super) fn credential(&self) -> Result<Option<Credential>, BadRequest> {
        Ok(self.field()?.or_else(|| self.session_cookie()))
    }

    /// The session cookie under the name that it has for the original request.
    fn session_cookie(&self) -> Option<Credential> {
        let cookie = &self.pinned.snapshot.cookie;
        cookie.credential(self.sent.cookies, self.original.site.scheme)
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
        let (original, snapshot) = (self.original, &*self.pinned.snapshot);
        let takes_sessions = service.login_redirect && service.credentials.cookie;
        if !takes_sessions || !snapshot.portal.has_page() {
            return None;
        }
        let visitor = Visitor {
            site: &original.site,
            cookies: self.sent.cookies,
            next: ReturnPath::to(path, original.query.as_deref()),
        };
        let credential = self.credential().ok().flatten();
        let way = WayIn::of(snapshot, rejection, credential.as_ref(), &visitor);
        let address = original.site.url(&way.path)?;
        match asked_by {
            ForwardAuthProxy::Nginx => {
                let mut response = rejection.respond();
                response
                    .headers_mut()
                    .insert(X_GATELATCH_LOGIN, HeaderValue::try_from(address).ok()?);
                Some(response)
            }
            ForwardAuthProxy::Proxy if is_navigation(&original.method, self.sent.headers) => {
                way.send(snapshot, &visitor, &address)
            }
            ForwardAuthProxy::Proxy => None,
        }
    }
}
