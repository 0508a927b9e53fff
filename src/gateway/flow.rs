//! The whole flow of a request, in one place.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::VIA;
use http::{Request, Response, Version};
use hyper::body::Incoming;

use super::downstream::Downstream;
use super::identify::{Identified, Outcome as Credential, identify};
use super::note;
use super::record::{Record, Route};
use super::rejection::{Rejection, upstream_error_kind};
use super::reply::{Reply, ReplyBody, add_own_fields};
use super::snapshot::{Service, Snapshot};
use super::standing::holds_until;
use super::switch::Switch;
use super::worker::{Pinned, Worker};
use crate::access::{Caller, Decision, ForbidReason, Permit};
use crate::ambient;
use crate::portal::{Endpoint, PortalCaller};
use crate::telemetry::metrics::Outcome;
use crate::upstream::{Extra, ForwardError, Outbound, ResponseBody, Sent};
use crate::wire::{BadRequest, Destination, Intake, NoDestination, Peer, Target, remove_hop_by_hop, via};

/// Answers a request, whatever it is, and sees to it that it is written down once.
pub async fn handle(worker: &Rc<Worker>, request: Request<Incoming>, peer: &Peer) -> Reply {
    let pinned = worker.pin();
    let mut record = Record::begin(worker, &pinned, peer.address());
    let answer = answer(worker, &pinned, request, peer, &mut record).await;
    reply(answer, record)
}

/// An answer that is not a rejection.
enum Answer {
    /// Of one of the gateway's own endpoints.
    Own(Response<Bytes>),
    /// Of the upstream.
    Forwarded(Response<ResponseBody>),
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
    // the parser of HTTP/1.1 has counted them, that of HTTP/2 has not
    if head.version == Version::HTTP_2 && head.headers.len() > snapshot.server().limits.headers {
        return Err(BadRequest::TooManyFields.into());
    }
    let (mut target, mut intake) = Intake::read(head, peer, &snapshot.trusted, snapshot.router.widest_paths())?;
    record.take_in(&target, &intake);
    let identified = || {
        let address = Some(intake.client.address);
        let identified = identify(worker, pinned, intake.credential.as_ref(), address, ambient::unix_seconds());
        if let Credential::Refused(error) = identified.credential {
            worker.shard.token_refused(error.kind());
        }
        identified
    };
    let index = match target.find(intake.head.uri.path(), snapshot.portal.own_paths(), &snapshot.router) {
        Ok(Destination::Service(index)) => index,
        Ok(Destination::Own) => {
            let endpoint = snapshot.portal.endpoint(&target.method, target.path.as_str());
            return Ok(Answer::Own(ask_portal(worker, snapshot, endpoint, identified(), &intake, body, record).await));
        }
        Err(NoDestination::NoService) => return Err(Rejection::NoService),
        Err(NoDestination::Path(index, error)) => {
            record.route = Route::Service(index);
            return Err(BadRequest::Path(error).into());
        }
    };
    let service = &snapshot.services[index];
    record.route = Route::Service(index);
    if let Some(preflight) = preflight(service, &intake, record) {
        return Ok(Answer::Own(preflight));
    }
    let Identified { caller, credential } = identified();
    record.user = caller.identity().cloned();
    let decision = service.policy.decide(&target.method, &target.path, &caller);
    let until = holds_until(&credential);
    let permit = match permit(decision, credential, record) {
        Ok(permit) => permit,
        Err(denial) => overlook(service, &target, &caller, denial, record)?,
    };
    let downstream = Downstream::of(worker, &target, &mut intake, until, snapshot.server().timeouts.tunnel);
    let interim = peer.interim().cloned();
    let extra = Extra { request_id: record.request_id.clone(), ticker: &worker.ticker, interim };
    let client = intake.client.address;
    let outbound = Outbound::prepare(permit, &target.host, intake, body, &service.forwarding, extra)?;
    let asked = ambient::now();
    let forwarded = pinned.lanes[index].upstream.send(outbound, client).await;
    record.upstream_answered(asked, forwarded.server);
    Ok(match (forwarded.outcome?, downstream) {
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
        if let Some(id) = &intake.request_id {
            self.request_id = id.clone();
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

/// Step 5's answer: the permit, or why there is none.
fn permit<'a>(decision: Decision<'a>, credential: Credential, record: &mut Record) -> Result<Permit<'a>, Rejection> {
    match decision {
        Decision::Allow(permit) => {
            record.rule = permit.rule();
            record.outcome = Outcome::Allowed;
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
    target: &'a Target,
    caller: &'a Caller,
    denial: Rejection,
    record: &mut Record,
) -> Result<Permit<'a>, Rejection> {
    match service.policy.overlook(record.rule, service.mode, &target.path, caller) {
        None => Err(denial),
        Some(permit) => {
            record.outcome = Outcome::Reported;
            record.reason = Some(format!("would be {}: {}", denial.status().as_u16(), denial.reason()));
            Ok(permit)
        }
    }
}

/// Step 8.
fn reply(answer: Result<Answer, Rejection>, mut record: Record) -> Reply {
    let response = match answer {
        Ok(Answer::Switched(switch)) => return switch.reply(record),
        Ok(Answer::Forwarded(mut response)) => {
            let via = via(response.version());
            // the client has a connection of its own, with a version of its own
            *response.version_mut() = Version::HTTP_11;
            remove_hop_by_hop(response.headers_mut());
            response.headers_mut().append(VIA, via);
            add_own_fields(&record, response.headers_mut());
            record.status = Some(response.status().as_u16());
            ReplyBody::upstream(response, record)
        }
        Ok(Answer::Own(mut response)) => {
            add_own_fields(&record, response.headers_mut());
            record.status = Some(response.status().as_u16());
            ReplyBody::own(response, record)
        }
        Err(rejection) => {
            record.outcome = rejection.outcome().unwrap_or(record.outcome);
            record.reason = Some(rejection.reason());
            record.status = Some(rejection.status().as_u16());
            if let Rejection::Forward(error) = &rejection
                && let Some(kind) = upstream_error_kind(error)
            {
                record.metrics().upstream_error(kind);
            }
            let mut response = rejection.respond();
            add_own_fields(&record, response.headers_mut());
            ReplyBody::own(response, record)
        }
    };
    Reply { response, tunnel: None }
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
    record.user = identified.caller.identity().cloned();
    let (caller, client) = (portal_caller(&identified), intake.client.address);
    let reply = snapshot.portal.answer(endpoint, &intake.head, body, &caller, client, ambient::unix_seconds()).await;
    record.reason = note::note(worker, &reply, endpoint, client).or(record.reason.take());
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
