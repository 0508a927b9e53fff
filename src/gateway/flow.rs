//! The whole flow of a request, in one place.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::VIA;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::browser::{or_sign_in, refuse_foreign};
use super::document::{self, Read};
use super::identify::{Identified, Outcome as Credential, identify};
use super::record::{Record, Route};
use super::rejection::{Rejection, upstream_error_kind};
use super::reply::ReplyBody;
use super::snapshot::Snapshot;
use super::verify::verify;
use super::worker::{Pinned, Worker};
use crate::access::{Decision, ForbidReason, PathOptions, Permit, RequestPath};
use crate::ambient;
use crate::portal::{Denial, Endpoint, LoginEvent, PortalCaller};
use crate::telemetry::metrics::{LoginOutcome, Outcome};
use crate::upstream::{Extra, Outbound, ResponseBody};
use crate::wire::{BadRequest, Intake, Peer, Scheme, Target, add_renewal, remove_hop_by_hop, via};

/// Answers a request, whatever it is, and sees to it that it is written down once.
pub async fn handle(worker: &Rc<Worker>, request: Request<Incoming>, peer: &Peer) -> Response<ReplyBody> {
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
    /// Of the upstream, where it may be the service's OpenAPI document.
    Document(Read),
}

async fn answer(
    worker: &Worker,
    pinned: &Pinned,
    request: Request<Incoming>,
    peer: &Peer,
    record: &mut Record,
) -> Result<Answer, Rejection> {
    let snapshot = &*pinned.snapshot;
    let (head, body) = request.into_parts();
    record.method = head.method.clone();
    record.path = head.uri.path().into();
    let (mut target, mut intake) =
        Intake::read(head, peer, &snapshot.trusted, &snapshot.cookie, snapshot.widest_paths)?;
    record.take_in(&target, &intake);
    let identified = || {
        let address = Some(intake.client.address);
        let identified = identify(pinned, intake.credential.as_ref(), address, ambient::unix_seconds());
        worker.note_refusal(&identified);
        identified
    };
    if let Some(below) = snapshot.portal.below_verify(intake.head.uri.path()) {
        return verify(worker, pinned, &target, &intake, below, record).map(Answer::Own);
    }
    if let Some(endpoint) = snapshot.portal.endpoint(&target.method, target.path.as_str()) {
        return Ok(Answer::Own(ask_portal(worker, snapshot, endpoint, identified(), &intake, body, record).await));
    }
    let index = snapshot.router.find(target.host.name(), &target.path).ok_or(Rejection::NoService)?;
    let service = &snapshot.services[index];
    record.route = Route::Service(index);
    respell(&mut target, &intake, service.paths, snapshot.widest_paths)?;
    let identified = identified();
    record.know(&identified, snapshot, intake.site.scheme);
    refuse_foreign(&target, &intake, &identified)?;
    let Identified { caller, credential, .. } = identified;
    let decision = service.policy.decide(&target.method, &target.path, &caller);
    let permit = permit(decision, credential, record)
        .map_err(|rejection| or_sign_in(rejection, service, snapshot, &target, &intake))?;
    let extra = Extra { request_id: record.request_id.clone(), ticker: &worker.ticker };
    let documents = document::is_asked(service, &target);
    if documents {
        document::ask_whole(&mut intake);
    }
    let outbound = Outbound::prepare(permit, &target.host, intake, body, &service.forwarding, extra)?;
    let asked = ambient::now();
    let forwarded = pinned.lanes[index].pool.send(outbound).await;
    record.upstream_answered(asked);
    if documents {
        // on the heap: what few requests need would make the state of all of them larger
        let login = snapshot.portal.login_path();
        return Ok(Answer::Document(Box::pin(document::read(forwarded?, service, &login)).await?));
    }
    Ok(Answer::Forwarded(forwarded?))
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

/// A service that accepts less in a path than others reads the path again by its own measure: what is decided on and
/// forwarded is always its own reading.
fn respell(target: &mut Target, intake: &Intake, own: PathOptions, widest: PathOptions) -> Result<(), Rejection> {
    if own != widest {
        target.path = RequestPath::parse(intake.head.uri.path(), own).map_err(BadRequest::Path)?;
    }
    Ok(())
}

/// Step 5's answer: the permit, or why there is none.
pub(super) fn permit<'a>(
    decision: Decision<'a>,
    credential: Credential,
    record: &mut Record,
) -> Result<Permit<'a>, Rejection> {
    match decision {
        Decision::Allow(permit) => {
            record.rule = Some(permit.rule());
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

/// Step 8.
fn reply(answer: Result<Answer, Rejection>, mut record: Record) -> Response<ReplyBody> {
    let renewal = record.renewal.take();
    let mut response = respond(answer, record);
    if let Some(session) = renewal.filter(|_| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
        add_renewal(response.headers_mut(), session);
    }
    response
}

fn respond(answer: Result<Answer, Rejection>, mut record: Record) -> Response<ReplyBody> {
    match answer {
        Ok(Answer::Forwarded(mut response)) => {
            pass_on(&mut response, &mut record);
            ReplyBody::upstream(response, record)
        }
        Ok(Answer::Document(Read::Untouched(begun, mut response))) => {
            pass_on(&mut response, &mut record);
            ReplyBody::begun(begun, response, record)
        }
        Ok(Answer::Document(Read::Annotated(mut response))) => {
            pass_on(&mut response, &mut record);
            ReplyBody::own(response, record)
        }
        Ok(Answer::Own(response)) => {
            record.status = Some(response.status().as_u16());
            ReplyBody::own(response, record)
        }
        Err(rejection) => {
            record.outcome = rejection.outcome();
            record.reason = Some(rejection.reason());
            record.status = Some(rejection.status().as_u16());
            if let Rejection::Forward(error) = &rejection
                && let Some(kind) = upstream_error_kind(error)
            {
                record.metrics().upstream_error(kind);
            }
            ReplyBody::own(rejection.respond(), record)
        }
    }
}

/// The head of an upstream's answer on its way to the client.
fn pass_on<B>(response: &mut Response<B>, record: &mut Record) {
    let via = via(response.version());
    // the client has a connection of its own, with a version of its own
    *response.version_mut() = Version::HTTP_11;
    remove_hop_by_hop(response.headers_mut());
    record.snapshot().cookie.guard(response.headers_mut());
    response.headers_mut().append(VIA, via);
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
    let caller = portal_caller(&identified);
    let reply = snapshot.portal.answer(endpoint, intake, body, &caller, ambient::unix_seconds()).await;
    if endpoint.sets_session() {
        record.renewal = None;
    }
    if let Some(login) = &reply.login {
        record.reason = Some(note_login(worker, login, intake));
    } else if endpoint.is_login() && intake.head.method == Method::POST {
        worker.metrics.login(LoginOutcome::Malformed);
    }
    reply.response
}

fn portal_caller(identified: &Identified) -> PortalCaller {
    match (identified.caller.identity(), &identified.credential) {
        (Some(identity), Credential::Holds { expires_at }) => {
            PortalCaller::Known { identity: Arc::clone(identity), expires_at: *expires_at }
        }
        (_, Credential::Refused(error)) => PortalCaller::Rejected(error.description()),
        (None, Credential::Holds { .. }) | (_, Credential::Absent) => PortalCaller::Anonymous,
    }
}

/// Counts a login and logs it in one stable form, for programs that ban addresses.
fn note_login(worker: &Worker, login: &LoginEvent, intake: &Intake) -> String {
    let (client_ip, user) = (intake.client.address, &*login.user);
    match login.outcome {
        Ok(()) => {
            worker.metrics.login(LoginOutcome::Success);
            tracing::info!(event = "login", %client_ip, user);
            "login".to_owned()
        }
        Err(denial) => {
            worker.metrics.login(match denial {
                Denial::Invalid => LoginOutcome::Invalid,
                Denial::Busy => LoginOutcome::Busy,
                Denial::NoToken(_) => LoginOutcome::Failed,
            });
            tracing::warn!(event = "login_failed", %client_ip, user, reason = denial.label());
            format!("login failed: {}", denial.label())
        }
    }
}
