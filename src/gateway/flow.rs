//! The whole flow of a request, in one place.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::VIA;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;

use super::audited;
use super::browser::{or_sign_in, refuse_foreign};
use super::document::{self, Read};
use super::downstream::Downstream;
use super::identify::{Identified, Outcome as Credential, identify};
use super::note;
use super::record::{Record, Route};
use super::rejection::{Rejection, upstream_error_kind};
use super::reply::{Reply, ReplyBody, add_own_fields};
use super::snapshot::{Service, Snapshot};
use super::standing::holds_until;
use super::switch::Switch;
use super::traced::Traced;
use super::verify::verify;
use super::worker::{Pinned, Worker};
use crate::access::{Caller, Decision, ForbidReason, Permit, RequestPath};
use crate::ambient;
use crate::portal::{Endpoint, PortalCaller};
use crate::telemetry::metrics::Outcome;
use crate::upstream::{Extra, ForwardError, Outbound, ResponseBody, Sent};
use crate::wire::{
    BadRequest, Destination, Intake, NoDestination, Peer, Present, Scheme, Target, add_renewal, remove_hop_by_hop, via,
};

/// Answers a request, whatever it is, and sees to it that it is written down once.
pub async fn handle(worker: &Rc<Worker>, request: Request<Incoming>, peer: &Peer) -> Reply {
    let pinned = worker.pin();
    let mut record = Record::begin(worker, &pinned, peer.address());
    if let Some(audit) = &pinned.snapshot.audit {
        record.room = Some(audited::room(audit).await);
    }
    let answer = answer(worker, &pinned, request, peer, &mut record).await;
    reply(answer, record)
}

/// An answer that is not a rejection.
enum Answer {
    /// Of one of the gateway's own endpoints.
    Own(Response<Bytes>),
    /// Of the upstream.
    Forwarded(Response<ResponseBody>),
    /// Of forward-auth, for another proxy: the request may pass.
    Verified(Response<Bytes>),
    /// Of the upstream, where it may be the service's OpenAPI document.
    Document(Box<Read>),
    /// Of an upstream that leaves HTTP together with the client.
    Switched(Box<Switch>),
}

async fn answer(
    worker: &Rc<Worker>,
    pinned: &Pinned,
    request: Request<Incoming>,
    peer: &Peer,
    record: &mut Record,
) -> Result<Answer, Rejection> {
    let snapshot = &*pinned.snapshot;
    let (head, body) = request.into_parts();
    record.method = head.method.clone();
    record.path = head.uri.path().into();
    record.trace = snapshot.tracer.as_ref().map(|tracer| Traced::begin(tracer, &head, peer, snapshot));
    // the parser of HTTP/1.1 has counted them, that of HTTP/2 has not
    if head.version == Version::HTTP_2 && head.headers.len() > snapshot.server().limits.headers {
        return Err(BadRequest::TooManyFields.into());
    }
    let paths = snapshot.router.widest_paths();
    let (mut target, mut intake) = Intake::read(head, peer, &snapshot.trusted, &snapshot.cookie, paths)?;
    record.take_in(&target, &intake);
    let identified = || {
        let address = Some(intake.client.address);
        let identified = identify(worker, pinned, intake.credential.as_ref(), address, ambient::unix_seconds());
        worker.note_refusal(&identified);
        identified
    };
    if let Some(below) = snapshot.portal.below_verify(intake.head.uri.path()) {
        return verify(worker, pinned, &target, &intake, below, record).map(Answer::Verified);
    }
    let Destination::Service(index) = find(&mut target, &intake, snapshot, record)? else {
        let endpoint = snapshot.portal.endpoint(&target.method, target.path.as_str());
        return Ok(Answer::Own(
            Box::pin(ask_portal(worker, snapshot, endpoint, identified(), &intake, body, record)).await,
        ));
    };
    let service = &snapshot.services[index];
    if let Some(preflight) = preflight(service, &intake, record) {
        return Ok(Answer::Own(preflight));
    }
    let identified = identified();
    record.know(&identified, snapshot, intake.site.scheme);
    refuse_foreign(&target, &intake, &identified)?;
    let Identified { caller, credential, .. } = identified;
    let until = holds_until(&credential);
    let permit = decide(service, (&target.method, &target.path), &caller, credential, record)
        .map_err(|denial| or_sign_in(denial, service, snapshot, &target, &intake))?;
    let documents = document::is_asked(service, &target);
    if documents {
        document::ask_whole(&mut intake);
    }
    let downstream = Downstream::of(worker, &target, &mut intake, until, snapshot.server().timeouts.tunnel);
    let interim = peer.interim().cloned();
    let extra = Extra { request_id: record.request_id.clone(), ticker: &worker.ticker, interim };
    let client = intake.client.address;
    let outbound = Outbound::prepare(permit, &target.host, intake, body, &service.forwarding, extra)?;
    let asked = ambient::now();
    let forwarded = pinned.lanes[index].upstream.send(outbound, client, record.trace()).await;
    record.upstream_answered(asked, forwarded.server);
    Ok(match (forwarded.outcome?, downstream) {
        (Sent::Answer(response), _) if documents => {
            // on the heap: what few requests need would make the state of all of them larger
            let login = snapshot.portal.login_path();
            Answer::Document(Box::new(Box::pin(document::read(response, service, &login)).await?))
        }
        (Sent::Answer(response), _) => Answer::Forwarded(response),
        (Sent::Switched(upstream), Some(downstream)) => Answer::Switched(Box::new(Switch { upstream, downstream })),
        (Sent::Switched(_), None) => return Err(ForwardError::Protocol("it switches unasked".to_owned()).into()),
    })
}

impl Record {
    fn take_in(&mut self, target: &Target, intake: &Intake) {
        self.host = target.host.name().into();
        self.path = target.path.as_str().into();
        self.client = intake.client.address;
        if let Some(traced) = &mut self.trace {
            traced.scheme = intake.site.scheme;
        }
        if let Some(id) = &intake.request_id {
            self.request_id = id.clone();
        }
    }

    /// `scheme` is how the client came.
    pub(super) fn know(&mut self, identified: &Identified, snapshot: &Snapshot, scheme: Scheme) {
        self.user = identified.caller.identity().cloned();
        let session = identified.renewal.as_ref();
        self.renewal = session.map(|new| snapshot.cookie.write(scheme, &new.value, new.max_age));
    }
}

impl Worker {
    pub(super) fn note_refusal(&self, identified: &Identified) {
        if let Credential::Refused(error) = identified.credential {
            self.shard.token_refused(error.kind());
        }
    }
}

/// The answer to a preflight, where the service says itself which pages may call it: it comes before authentication.
fn preflight(service: &Service, intake: &Intake, record: &mut Record) -> Option<Response<Bytes>> {
    let cors = service.cors.as_ref()?;
    record.cors = Some(cors.judge(&intake.head.headers));
    let preflight = cors.preflight(&intake.head)?;
    record.outcome = Outcome::Gateway;
    Some(preflight)
}

/// Who answers. What is asked of a service is the service's own reading of the path from now on.
fn find(
    target: &mut Target,
    intake: &Intake,
    snapshot: &Snapshot,
    record: &mut Record,
) -> Result<Destination, Rejection> {
    let found = target.find(intake.head.uri.path(), snapshot.portal.own_paths(), &snapshot.router);
    if let Ok(Destination::Service(index)) | Err(NoDestination::Path(index, _)) = found {
        record.route = Route::Service(index);
    }
    found.map_err(|error| match error {
        NoDestination::NoService => Rejection::NoService,
        NoDestination::Path(_, error) => BadRequest::Path(error).into(),
    })
}

/// Step 5: the permit, or why there is none, not even where denials are only reported.
pub(super) fn decide<'a>(
    service: &'a Service,
    (method, path): (&Method, &'a RequestPath),
    caller: &'a Caller,
    credential: Credential,
    record: &mut Record,
) -> Result<Permit<'a>, Rejection> {
    let decision = service.policy.decide(method, path, caller);
    match permit(decision, credential, record) {
        Ok(permit) => Ok(permit),
        Err(denial) => overlook(service, path, caller, denial, record),
    }
}

/// The decision's permit, or why there is none.
fn permit<'a>(decision: Decision<'a>, credential: Credential, record: &mut Record) -> Result<Permit<'a>, Rejection> {
    match decision {
        Decision::Allow(permit) => {
            record.rule = permit.rule();
            record.outcome = Outcome::Allowed;
            // nothing is left that the audit stream is told: an answer of hours keeps no place in it
            record.room = None;
            Ok(permit)
        }
        Decision::Challenge(challenge) => {
            record.rule = Some(challenge.rule);
            Err(match credential {
                Credential::Refused(error) => Rejection::BadCredential(error),
                Credential::Absent | Credential::Holds { .. } => Rejection::Challenge,
            })
        }
        Decision::Forbid(forbid) => {
            record.rule = forbid.rule;
            let closed = matches!(forbid.reason, ForbidReason::NoRule | ForbidReason::Nobody);
            let known = matches!(credential, Credential::Holds { .. });
            Err(if known && !closed { Rejection::Forbidden(forbid) } else { Rejection::Closed(forbid) })
        }
    }
}

/// A denial that is only reported: what would have been is written down, and the request goes on.
fn overlook<'a>(
    service: &Service,
    path: &'a RequestPath,
    caller: &'a Caller,
    denial: Rejection,
    record: &mut Record,
) -> Result<Permit<'a>, Rejection> {
    match service.policy.overlook(record.rule, service.mode, path, caller) {
        None => Err(denial),
        Some(permit) => {
            record.outcome = Outcome::Reported;
            record.reason = Some(format!("would be {}: {}", denial.status().as_u16(), denial.reason()));
            audited::denial(record);
            Ok(permit)
        }
    }
}

/// Step 8.
fn reply(answer: Result<Answer, Rejection>, mut record: Record) -> Reply {
    let renewal = record.renewal.take();
    let mut response = match answer {
        // nobody knows whether the client takes cookies with it: it gets them with its next request
        Ok(Answer::Switched(switch)) => return switch.reply(record),
        Ok(Answer::Forwarded(mut response)) => {
            pass_on(&mut response, &mut record);
            ReplyBody::upstream(response, record)
        }
        Ok(Answer::Document(read)) => match *read {
            Read::Untouched(begun, mut response) => {
                pass_on(&mut response, &mut record);
                ReplyBody::begun(begun, response, record)
            }
            Read::Annotated(mut response) => {
                pass_on(&mut response, &mut record);
                ReplyBody::own(response, record)
            }
        },
        Ok(Answer::Own(mut response)) => {
            add_own_fields(&record, response.headers_mut());
            record.status = Some(response.status().as_u16());
            ReplyBody::own(response, record)
        }
        Ok(Answer::Verified(response)) => {
            record.status = Some(response.status().as_u16());
            ReplyBody::own(response, record)
        }
        Err(rejection) => reject(&rejection, record),
    };
    if let Some(session) = renewal {
        add_renewal(response.headers_mut(), session);
    }
    Reply { response, tunnel: None }
}

fn reject(rejection: &Rejection, mut record: Record) -> Response<ReplyBody> {
    record.outcome = rejection.outcome().unwrap_or(record.outcome);
    record.reason = Some(rejection.reason());
    record.status = Some(rejection.status().as_u16());
    audited::denial(&mut record);
    if let Rejection::Forward(error) = rejection {
        if let Some(kind) = upstream_error_kind(error) {
            record.metrics().upstream_error(kind);
        }
        if let Some(traced) = &mut record.trace {
            traced.error = Some(error.label());
        }
    }
    let mut response = rejection.respond();
    add_own_fields(&record, response.headers_mut());
    ReplyBody::own(response, record)
}

/// The head of an upstream's answer on its way to the client.
fn pass_on<B>(response: &mut Response<B>, record: &mut Record) {
    let via = via(response.version());
    // the client has a connection of its own, with a version of its own
    *response.version_mut() = Version::HTTP_11;
    let present = Present::of(response.headers());
    remove_hop_by_hop(response.headers_mut(), present);
    if present.has(Present::SET_COOKIE) {
        record.snapshot().cookie.guard(response.headers_mut());
    }
    response.headers_mut().append(VIA, via);
    add_own_fields(record, response.headers_mut());
    record.status = Some(response.status().as_u16());
}

/// One of the gateway's own endpoints. They come before every rule.
async fn ask_portal(
    worker: &Worker,
    snapshot: &Snapshot,
    endpoint: Endpoint,
    identified: Identified,
    intake: &Intake,
    body: Incoming,
    record: &mut Record,
) -> Response<Bytes> {
    record.route = Route::Portal;
    record.outcome = Outcome::Gateway;
    record.know(&identified, snapshot, intake.site.scheme);
    let (caller, client) = (portal_caller(&identified), intake.client.address);
    let reply = snapshot.portal.answer(endpoint, intake, body, &caller, ambient::unix_seconds()).await;
    if endpoint.sets_session() {
        record.renewal = None;
    }
    audited::portal(record, &reply);
    let method = &intake.head.method;
    record.reason = note::note(worker, &reply, (method, endpoint), client).or(record.reason.take());
    reply.response
}

fn portal_caller(identified: &Identified) -> PortalCaller {
    match (identified.caller.identity(), &identified.credential) {
        (Some(identity), Credential::Holds { expires_at, session }) => {
            PortalCaller::Known { identity: Arc::clone(identity), expires_at: *expires_at, session: *session }
        }
        (_, Credential::Refused(error)) => PortalCaller::Rejected(error.description()),
        (None, Credential::Holds { .. }) | (_, Credential::Absent) => PortalCaller::Anonymous,
    }
}
