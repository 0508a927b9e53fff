//! Steps 3 to 6: from a request's head to what comes next. Nothing is waited for here.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Version};

use super::browser::{or_sign_in, refuse_foreign};
use super::connection::ClientConnection;
use super::decide::enforce;
use super::document;
use super::downstream::Downstream;
use super::ext_authz::{Call, accept, is_call};
use super::facts::{RequestFacts, Route};
use super::own_password::take_password;
use super::question::Answered;
use super::rate::count;
use super::reauthorization::holds_until;
use super::rejection::Rejection;
use super::renewal::Renewal;
use super::seen::SeenRequest;
use super::sender::{identify_sender, unaccepted_secret, withhold_own};
use super::snapshot::{ServiceSnapshot, Snapshot};
use super::traced::Traced;
use super::unchecked::{Sender, UncheckedRequest, Unjudged};
use super::verify::verify;
use super::worker::{Pinned, Worker};
use crate::access::{NoDestination, Permit, RequestPath, RequestedPaths, Requirement};
use crate::identify::{CredentialError, CredentialOutcome};
use crate::portal::PortalEndpoint;
use crate::telemetry::metrics::RequestOutcome;
use crate::upstream::{ClientBody, Outbound, RequestContext};
use crate::wire::{
    BadRequest, BadTarget, CacheMode, CacheRisk, Destination, DestinationField, FieldPresence,
    ForwardedInfo, Intake, Interim, same_service,
};

/// The next step for a well-formed request.
pub(super) enum NextStep {
    /// Reply with this response of the gateway.
    Done(Response<Bytes>),
    /// Reply to forward-auth that the request is permitted.
    Verified(Response<Bytes>),
    /// Envoy asks over gRPC.
    Call(Box<Call>),
    /// One of the gateway's own endpoints replies.
    Portal(Box<PortalRequest>),
    /// Forward the request.
    Forward(Forward),
    /// Check the password that comes with it, then judge it again.
    Password(Box<UncheckedRequest>),
}

/// A request for one of the gateway's own endpoints.
pub(super) struct PortalRequest {
    pub(super) endpoint: PortalEndpoint,
    pub(super) intake: Intake,
    pub(super) body: ClientBody,
    /// Why the user name and the password are not accepted, where they were checked.
    pub(super) refused: Option<CredentialError>,
}

/// A permitted request, with what its reply needs.
pub(super) struct Forward {
    /// The service.
    pub(super) index: usize,
    pub(super) outbound: Outbound,
    pub(super) client: IpAddr,
    /// Where the client requests an upgrade.
    pub(super) downstream: Option<Box<Downstream>>,
    /// Whether it requests the service's OpenAPI document.
    pub(super) document: bool,
}

/// Steps 3 to 6, in which nothing is waited for: all that is known of a request only until it is decided is gone before the
/// first wait, and needs no place in what is kept while the upstream works. `facts` is for the record alone.
pub(super) fn judge(
    worker: &Rc<Worker>,
    pinned: &Pinned,
    (request, fault): (Box<Request<ClientBody>>, Option<BadTarget>),
    connection: &ClientConnection,
    facts: &mut RequestFacts,
) -> Result<NextStep, Rejection> {
    let snapshot = &*pinned.snapshot;
    let (head, body) = request.into_parts();
    let trace = snapshot.tracer.as_ref();
    let trace = trace.map(|tracer| Traced::begin(tracer, &head, connection.peer(), snapshot));
    facts.begin(&head, trace);
    if is_call(&head) {
        facts.route = Route::Portal;
        accept(&head, connection, snapshot)?;
        return Ok(NextStep::Call(Box::new(Call { head, body })));
    }
    if let Some(fault) = fault {
        return Err(BadRequest::Target(fault).into());
    }
    let intake = receive(head, connection, snapshot)?;
    facts.receive(&intake);
    if let Some(preflight) = snapshot.answer_own_preflight(&intake, facts) {
        return Ok(NextStep::Done(preflight));
    }
    let request = Unjudged { intake, body };
    judge_again(worker, pinned, (request, None), connection, facts)
}

/// Steps 3 to 6 for a request whose head was checked. `refused` says why its user name and password are not accepted, where
/// they were checked meanwhile.
pub(super) fn judge_again(
    worker: &Rc<Worker>,
    pinned: &Pinned,
    (request, refused): (Unjudged, Option<CredentialError>),
    connection: &ClientConnection,
    facts: &mut RequestFacts,
) -> Result<NextStep, Rejection> {
    match route(&request.intake, &pinned.snapshot, facts)? {
        Destination::Own(path) => answer_itself(worker, pinned, (request, refused), path, facts),
        Destination::Service(found) => {
            let arrived = Arrived {
                worker,
                pinned,
                index: found.service(),
                interim: connection.peer().interim().cloned(),
                refused,
            };
            arrived.forward(request, found.into_path(), facts)
        }
    }
}

/// Step 3: checks the head.
fn receive(
    mut head: Parts,
    connection: &ClientConnection,
    snapshot: &Snapshot,
) -> Result<Intake, Rejection> {
    connection.check(snapshot)?;
    // the parser of HTTP/1.1 has counted them, that of HTTP/2 has not
    if head.version == Version::HTTP_2 {
        snapshot.check_number(&head.headers)?;
    }
    if head.version == Version::HTTP_10 {
        name_host(&mut head, snapshot);
    }
    let peer = connection.peer();
    let intake = Intake::read(head, peer, &snapshot.trusted, &snapshot.cookie)?;
    let stated = intake.forwarded.as_deref();
    if stated.is_some_and(ForwardedInfo::has_unreadable_scheme)
        && let Some(proxy) = peer.speaker()
    {
        snapshot.warn_of_scheme(proxy);
    }
    Ok(intake)
}

/// HTTP/1.0 knows no `Host` (RFC 9112, section 3.2). Where no service is found by it, a request may go without: its
/// target's, or `localhost`, takes the place.
fn name_host(head: &mut Parts, snapshot: &Snapshot) {
    if snapshot.needs_host() || head.headers.contains_key(HOST) {
        return;
    }
    let named = head
        .uri
        .authority()
        .map(|host| HeaderValue::from_str(host.as_str()));
    let host = named.and_then(Result::ok);
    let host = host.unwrap_or(HeaderValue::from_static("localhost"));
    head.headers.insert(HOST, host);
}

/// Finds out who answers.
fn route(
    intake: &Intake,
    snapshot: &Snapshot,
    facts: &mut RequestFacts,
) -> Result<Destination, Rejection> {
    let (method, sent) = (&intake.head.method, intake.head.uri.path());
    let own = snapshot.portal.own_paths();
    let found = own.resolve(&snapshot.router, method, intake.host.name(), sent);
    match &found {
        Ok(Destination::Own(path)) | Err(NoDestination::NoService(path)) => {
            facts.set_path(path.as_str());
        }
        Ok(Destination::Service(found)) => {
            facts.route = Route::Service(found.service());
            facts.set_path(found.path().as_str());
        }
        Err(NoDestination::ServicePath(index, _)) => facts.route = Route::Service(*index),
        Err(NoDestination::Path(_)) => {}
    }
    Ok(found?)
}

/// A request for one of the gateway's own endpoints, which come before every rule.
fn answer_itself(
    worker: &Worker,
    pinned: &Pinned,
    (mut request, refused): (Unjudged, Option<CredentialError>),
    path: RequestPath,
    facts: &mut RequestFacts,
) -> Result<NextStep, Rejection> {
    let intake = &request.intake;
    let portal = &pinned.snapshot.portal;
    facts.route = Route::Portal;
    if let Some(below) = portal.below_verify(intake.head.uri.path()) {
        return match verify(worker, pinned, intake, (below, refused), facts)? {
            Answered::Permitted(response) => Ok(NextStep::Verified(response)),
            Answered::Unchecked(pair) => Ok(NextStep::Password(Box::new(UncheckedRequest {
                request,
                pair,
            }))),
        };
    }
    facts.outcome = RequestOutcome::Gateway;
    let endpoint = portal.endpoint(&intake.head.method, path.as_str());
    if endpoint == PortalEndpoint::Logout && portal.is_page_form(intake) {
        facts
            .seen
            .get_or_insert_with(|| SeenRequest::of_form(intake));
    }
    if endpoint.identifies()
        && refused.is_none()
        && let Some(pair) = take_password(worker, pinned, &mut request.intake)?
    {
        return Ok(NextStep::Password(Box::new(UncheckedRequest {
            request,
            pair,
        })));
    }
    let Unjudged { intake, body } = request;
    Ok(NextStep::Portal(Box::new(PortalRequest {
        endpoint,
        intake,
        body,
        refused,
    })))
}

/// A request that has arrived at a service.
struct Arrived<'a> {
    worker: &'a Rc<Worker>,
    pinned: &'a Pinned,
    index: usize,
    interim: Option<Arc<Interim>>,
    /// Why the user name and the password are not accepted, where they were checked.
    refused: Option<CredentialError>,
}

impl Arrived<'_> {
    /// Steps 4 to 6: identifies the caller, enforces the policy, prepares the request for the upstream.
    fn forward(
        self,
        mut request: Unjudged,
        path: RequestPath,
        facts: &mut RequestFacts,
    ) -> Result<NextStep, Rejection> {
        let (worker, pinned) = (self.worker, self.pinned);
        let snapshot = &*pinned.snapshot;
        let service = &snapshot.services[self.index];
        if let Some(preflight) = preflight(service, &request.intake, facts) {
            return Ok(NextStep::Done(preflight));
        }
        let destination = self.destination(&request.intake)?;
        choose_credential(snapshot, service, &mut request.intake)?;
        let mut identified =
            match identify_sender(worker, pinned, &mut request.intake, self.refused) {
                Sender::Identified(identified) => identified,
                Sender::Unchecked(pair) => {
                    let unchecked = UncheckedRequest { request, pair };
                    return Ok(NextStep::Password(Box::new(unchecked)));
                }
            };
        let Unjudged { mut intake, body } = request;
        facts.identify(&identified);
        refuse_foreign(service, &intake, &identified)?;
        facts.renewal = Renewal::of(&mut identified, intake.site.scheme);
        let (caller, credential) = (identified.caller, identified.credential);
        let paths = RequestedPaths {
            target: &path,
            destination: destination.as_ref(),
        };
        let asked = (&intake.head.method, paths);
        let permit = enforce(service, asked, &caller, &credential, facts).map_err(|denial| {
            let denial = denial.naming(|| snapshot.metadata_url(&intake.site, service));
            let denial = denial.without_dialog(service.credentials, &intake.head.headers);
            or_sign_in(denial, service, snapshot, &path, &intake)
        })?;
        count((pinned, self.index), &permit, &caller, facts)?;
        if matches!(credential, CredentialOutcome::Refused(_)) && permit.denial().is_none() {
            withhold_own(snapshot, intake.credential.as_mut());
        }
        facts.cache_risk = cache_risk(service, &permit, &intake);
        let document = document::ask_whole(service, &path, &mut intake);
        let until = holds_until(&credential);
        let downstream = Downstream::of(worker, pinned, &mut intake, (service, &permit), until);
        let context = RequestContext {
            request_id: facts.request_id.clone(),
            ticker: &worker.ticker,
            interim: self.interim,
        };
        let client = intake.client.accountable_address();
        let outbound = Outbound::prepare(permit, intake, body, &service.forwarding, context)?;
        Ok(NextStep::Forward(Forward {
            index: self.index,
            outbound,
            client,
            downstream,
            document,
        }))
    }
}

impl Arrived<'_> {
    /// The path of WebDAV's `Destination`, whatever the method: a service may act on it with any.
    fn destination(&self, intake: &Intake) -> Result<Option<RequestPath>, BadRequest> {
        if !intake.present.has(FieldPresence::DESTINATION) {
            return Ok(None);
        }
        let Some(field) = DestinationField::read(&intake.head.headers)? else {
            return Ok(None);
        };
        let sent = field.path_on(Some(&intake.site))?;
        let Snapshot { portal, router, .. } = &*self.pinned.snapshot;
        let (method, host) = (&intake.head.method, intake.host.name());
        let found = portal.own_paths().resolve(router, method, host, sent);
        same_service(found, self.index).map(Some)
    }
}

/// Keeps the credential that counts at a service, and nothing there that it shall not get.
fn choose_credential(
    snapshot: &Snapshot,
    service: &ServiceSnapshot,
    intake: &mut Intake,
) -> Result<(), BadRequest> {
    let accepted = service.credentials;
    // nearly every request has one that is accepted, or none
    let may_be_unaccepted = !accepted.bearer || intake.present.has(FieldPresence::AUTHORIZATION);
    let (field, headers) = (intake.credential.as_ref(), &intake.head.headers);
    let secret = may_be_unaccepted
        .then(|| unaccepted_secret(snapshot, accepted, field, headers))
        .flatten();
    intake.choose_credential(accepted, &snapshot.cookie)?;
    if let Some(secret) = secret {
        intake.take_out(&secret);
    }
    Ok(())
}

/// Whether a shared cache in front could hand the answer to others, of a rule that does not let anyone in.
fn cache_risk(
    service: &ServiceSnapshot,
    permit: &Permit<'_>,
    intake: &Intake,
) -> Option<CacheRisk> {
    let is_open = permit.denial().is_none()
        && permit
            .rule()
            .is_some_and(|id| service.policy.rule(id).requirement == Requirement::Anyone);
    let risk = || CacheRisk::of(intake.credential.as_ref());
    (service.cache == CacheMode::Private && !is_open).then(risk)
}

/// The response to a preflight, where the service has a `cors` block: it comes before authentication.
fn preflight(
    service: &ServiceSnapshot,
    intake: &Intake,
    facts: &mut RequestFacts,
) -> Option<Response<Bytes>> {
    let cors = service.cors.as_ref()?;
    facts.cors = Some(cors.judge(&intake.head.headers));
    let preflight = cors.preflight(&intake.head)?;
    facts.outcome = RequestOutcome::Gateway;
    Some(preflight)
}
