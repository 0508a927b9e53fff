//! The flow of a request from its head to its answer.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, VIA};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use super::audited;
use super::basic::{TRIES, check_pair, reserve};
use super::connection::ClientConnection;
use super::document::{self, Read};
use super::downstream::Downstream;
use super::ext_authz::check;
use super::judge::{Forward, NextStep, PortalRequest, judge, judge_again};
use super::location;
use super::note;
use super::own_password::refuse_password;
use super::record::RequestRecord;
use super::refusal_page::show_refusal;
use super::rejection::{Rejection, upstream_error_kind};
use super::renewal::Renewal;
use super::reply::{Reply, ReplyBody, add_own_fields};
use super::sender::identify_sender;
use super::snapshot::Snapshot;
use super::switch::Switch;
use super::unchecked::{Sender, UncheckedRequest};
use super::worker::{Pinned, Worker};
use crate::access::{AccessSubject, Authentication, ClientAddress, Decision, Identity, Mode};
use crate::ambient;
use crate::identify::{CredentialOutcome, Identified};
use crate::portal::{PortalCaller, PortalContext, PortalEndpoint, PortalReply};
use crate::upstream::{BodyGate, ClientBody, ForwardError, ResponseBody, UpstreamReply};
use crate::wire::{
    BadTarget, Credential, Destination, FieldPresence, HeaderChanges, Intake, add_renewal, deny,
    drop_body, remove_hop_by_hop, via,
};

/// Answers a request, whatever it is, and sees to it that it is written down once. `fault` is what is wrong with its target
/// as it was sent. The request is boxed since each step
/// on its way here would move it.
pub async fn handle(
    worker: &Rc<Worker>,
    request: Box<Request<ClientBody>>,
    fault: Option<BadTarget>,
    connection: &ClientConnection,
) -> Reply {
    let mut record = RequestRecord::begin(worker, connection.peer().address().into());
    if let Some(audit) = record.snapshot().audit.clone() {
        audited::reserve(&mut record, audit).await;
    }
    let pinned = record.pinned();
    let is_head = request.method() == Method::HEAD;
    let request = (request, fault);
    let mut gate = None;
    let answer = answer(worker, &pinned, request, connection, &mut record, &mut gate).await;
    let mut reply = reply(answer, record, is_head);
    if gate.is_some_and(|gate| gate.is_shut()) {
        // the body was never asked for: nobody knows where the next request would begin (RFC 9110, section 10.1.1)
        let close = HeaderValue::from_static("close");
        reply.response.headers_mut().insert(CONNECTION, close);
    }
    reply
}

/// An answer that is not a rejection.
enum Answer {
    /// Of one of the gateway's own endpoints.
    Own(Response<Bytes>),
    /// Of the upstream.
    Forwarded(Response<ResponseBody>),
    /// Of forward-auth, for another proxy: the request may pass.
    Verified(Response<Bytes>),
    /// The same over gRPC.
    Checked(Box<HeaderChanges>),
    /// Of the upstream, where it may be the service's OpenAPI document.
    Document(Box<Read>),
    /// Of an upstream that leaves HTTP together with the client.
    Switched(Box<Switch>),
}

async fn answer(
    worker: &Rc<Worker>,
    pinned: &Pinned,
    request: (Box<Request<ClientBody>>, Option<BadTarget>),
    connection: &ClientConnection,
    record: &mut RequestRecord,
    gate: &mut Option<Arc<BodyGate>>,
) -> Result<Answer, Rejection> {
    let mut judged = judge(worker, pinned, request, connection, &mut record.facts);
    if let Ok(NextStep::Password(unchecked)) = judged {
        judged = Box::pin(check_and_judge(worker, connection, record, unchecked)).await;
    }
    let pinned = &*record.pinned();
    audited::decided(record);
    let forward = match judged? {
        NextStep::Done(response) => return Ok(Answer::Own(response)),
        NextStep::Verified(response) => return Ok(Answer::Verified(response)),
        // on the heap: what few requests need would make the state of all of them larger
        NextStep::Portal(asked) => {
            return Box::pin(ask_portal(worker, pinned, asked, connection, record)).await;
        }
        NextStep::Call(call) => {
            let checked = Box::pin(check(worker, call, connection, record)).await;
            audited::decided(record);
            return Ok(Answer::Checked(Box::new(checked?)));
        }
        NextStep::Forward(forward) => forward,
        NextStep::Password(_) => return Err(Rejection::Unchecked),
    };
    let Forward {
        index,
        outbound,
        client,
        downstream,
        document,
    } = forward;
    *gate = outbound.gate();
    let asked = ambient::now();
    let forwarded = pinned.handles[index]
        .upstream
        .send(outbound, client, record.trace())
        .await;
    record.upstream_answered(asked, forwarded.server);
    let answer = answered(forwarded.outcome?, downstream)?;
    if document {
        let is_head = record.facts.method == Method::HEAD;
        Box::pin(read_document(pinned, (index, is_head), answer)).await
    } else {
        Ok(answer)
    }
}

/// Waits for the check, then decides the request.
async fn check_and_judge(
    worker: &Rc<Worker>,
    connection: &ClientConnection,
    record: &mut RequestRecord,
    mut unchecked: Box<UncheckedRequest>,
) -> Result<NextStep, Rejection> {
    for _ in 0..TRIES {
        let UncheckedRequest { request, pair } = *unchecked;
        let refused = check_pair(worker, record, &pair, connection).await;
        let pinned = record.pinned();
        connection.check(&pinned.snapshot)?;
        let (request, facts) = ((request, refused), &mut record.facts);
        let step = judge_again(worker, &pinned, request, connection, facts)?;
        let NextStep::Password(again) = step else {
            return Ok(step);
        };
        unchecked = again;
    }
    Err(Rejection::Unchecked)
}

fn answered(sent: UpstreamReply, downstream: Option<Box<Downstream>>) -> Result<Answer, Rejection> {
    match (sent, downstream) {
        (UpstreamReply::Answer(response), _) => Ok(Answer::Forwarded(response)),
        (UpstreamReply::Switched(upstream), Some(downstream)) => {
            Ok(Answer::Switched(Box::new(Switch {
                upstream,
                downstream,
            })))
        }
        (UpstreamReply::Switched(_), None) => {
            Err(ForwardError::Protocol("it switches unasked".to_owned()).into())
        }
    }
}

async fn read_document(
    pinned: &Pinned,
    (index, is_head): (usize, bool),
    answer: Answer,
) -> Result<Answer, Rejection> {
    let Answer::Forwarded(response) = answer else {
        return Ok(answer);
    };
    let Snapshot {
        services, portal, ..
    } = &*pinned.snapshot;
    let (service, login) = (&services[index], portal.login_path());
    let read = document::read(response, is_head, service, &login).await?;
    Ok(Answer::Document(Box::new(read)))
}

/// Step 8.
fn reply(
    answer: Result<Answer, Rejection>,
    mut record: Box<RequestRecord>,
    is_head: bool,
) -> Reply {
    if let Err(rejection) = &answer {
        note_rejection(rejection, &mut record);
    }
    // all that there was to record is recorded: an answer that its client does not take keeps no place
    record.reservation = None;
    let renewal = record.take_renewal();
    let is_own = !matches!(
        answer,
        Ok(Answer::Forwarded(_) | Answer::Document(_) | Answer::Switched(_))
    );
    let mut response = match answer {
        Ok(Answer::Checked(changes)) => {
            record.status = Some(StatusCode::OK.as_u16());
            return Reply::own(ReplyBody::call(changes.respond(renewal), record));
        }
        // nobody knows whether the client takes cookies with it: it gets them with its next request
        Ok(Answer::Switched(switch)) => return switch.reply(record),
        Ok(Answer::Forwarded(mut response)) => {
            pass_on(&mut response, &mut record);
            ReplyBody::upstream(response, record)
        }
        Ok(Answer::Document(read)) => reply_document(*read, record),
        Ok(Answer::Own(mut response)) => {
            add_own_fields(&record, response.headers_mut());
            record.status = Some(response.status().as_u16());
            own(show_refusal(&record, response, None), is_head, record)
        }
        Ok(Answer::Verified(response)) => {
            record.status = Some(response.status().as_u16());
            own(response, is_head, record)
        }
        Err(rejection) => {
            let mut response = rejection.respond();
            add_own_fields(&record, response.headers_mut());
            let mut shown = show_refusal(&record, response, Some(&rejection));
            if record.facts.over_grpc {
                if let Some(session) = renewal {
                    add_renewal(shown.headers_mut(), session);
                }
                return Reply::own(ReplyBody::call(deny(&shown), record));
            }
            own(shown, is_head, record)
        }
    };
    if let Some(session) = renewal {
        add_renewal(response.headers_mut(), session);
    }
    Reply {
        response,
        tunnel: None,
        is_own,
    }
}

/// The service's document, or what came in its place.
fn reply_document(read: Read, mut record: Box<RequestRecord>) -> Response<ReplyBody> {
    match read {
        Read::Untouched(begun, mut response) => {
            pass_on(&mut response, &mut record);
            ReplyBody::begun(begun, response, record)
        }
        Read::Annotated(mut response) => {
            pass_on(&mut response, &mut record);
            ReplyBody::own(response, record)
        }
    }
}

/// An answer of the gateway's own.
fn own(
    mut response: Response<Bytes>,
    is_head: bool,
    record: Box<RequestRecord>,
) -> Response<ReplyBody> {
    if is_head {
        drop_body(&mut response);
    }
    ReplyBody::own(response, record)
}

fn note_rejection(rejection: &Rejection, record: &mut RequestRecord) {
    record.facts.outcome = rejection.outcome().unwrap_or(record.facts.outcome);
    record.facts.reason = Some(rejection.reason());
    record.status = Some(rejection.status().as_u16());
    audited::denial(record);
    if let Rejection::Forward(error) = rejection {
        if let Some(kind) = upstream_error_kind(error) {
            record.metrics().upstream_error(kind);
        }
        if let Some(traced) = &mut record.facts.trace {
            traced.error = Some(error.label());
        }
    }
}

/// The head of an upstream's answer on its way to the client.
fn pass_on<B>(response: &mut Response<B>, record: &mut RequestRecord) {
    let via = via(response.version());
    // the client has a connection of its own, with a version of its own
    *response.version_mut() = Version::HTTP_11;
    let present = FieldPresence::of(response.headers());
    remove_hop_by_hop(response.headers_mut(), present);
    if present.has(FieldPresence::SET_COOKIE) {
        record.snapshot().cookie.guard(response.headers_mut());
    }
    if present.has(FieldPresence::LOCATION) {
        location::rewrite(response.headers_mut(), record);
    }
    if let Some(risk) = record.facts.cache_risk {
        risk.confine(response.headers_mut(), present);
    }
    response.headers_mut().append(VIA, via);
    add_own_fields(record, response.headers_mut());
    record.status = Some(response.status().as_u16());
}

/// One of the gateway's own endpoints. They come before every rule. The client is waited for first, without a place in
/// the audit stream; then the request is decided with what is in force.
async fn ask_portal(
    worker: &Worker,
    pinned: &Pinned,
    asked: Box<PortalRequest>,
    connection: &ClientConnection,
    record: &mut RequestRecord,
) -> Result<Answer, Rejection> {
    let PortalRequest {
        endpoint,
        mut intake,
        body,
        refused,
    } = *asked;
    record.reservation = None;
    // what is refused by its head is not waited for
    drop(pinned.snapshot.judge_own_origin(endpoint, &mut intake));
    let receiving = pinned.snapshot.portal.receive(endpoint, &intake, body);
    let received = receiving.await;
    record.pin_again();
    reserve(record).await;
    let pinned = record.pinned();
    let snapshot = &*pinned.snapshot;
    connection.check(snapshot)?;
    snapshot.check_host(endpoint, &intake.site)?;
    let cors = snapshot.judge_own_origin(endpoint, &mut intake);
    let client = intake.client.address;
    // a reload may have forgotten a password meanwhile
    let Sender::Identified(mut identified) = identify_sender(worker, &pinned, &mut intake, refused)
    else {
        return Err(Rejection::Unchecked);
    };
    let challenges = refuse_password(snapshot, endpoint, &intake, &identified)?;
    record.facts.user = identified.caller.subject().identity().cloned();
    record.facts.renewal = Renewal::of(&mut identified, intake.site.scheme);
    let context = PortalContext {
        caller: &portal_caller(&identified),
        opens_start: &|identity| opens_start(snapshot, &intake, identity),
        identify_token: &|token| {
            let credential = Credential::of_text(token);
            let identified = worker.identify(&pinned, credential.as_ref(), client);
            portal_caller(&identified)
        },
        mount_at: &|path| snapshot.mount_at(&intake, path),
        challenges: &challenges,
        now: ambient::unix_seconds(),
    };
    let answer = snapshot
        .portal
        .answer(endpoint, &intake, received, &context);
    let mut reply = answer.await;
    if let Some(cors) = cors {
        cors.apply(&mut reply.response);
    }
    if endpoint.sets_session() {
        record.facts.renewal = None;
    }
    let asked = (&intake.head.method, endpoint);
    note_reply(worker, &reply, asked, client, record);
    Ok(Answer::Own(reply.response))
}

/// Counts, logs and audits what the portal did.
fn note_reply(
    worker: &Worker,
    reply: &PortalReply,
    asked: (&Method, PortalEndpoint),
    client: ClientAddress,
    record: &mut RequestRecord,
) {
    audited::portal(record, reply);
    let user = record.facts.user.as_ref().map(|user| &*user.subject);
    let noted = note::note(worker, reply, asked, (client, user));
    record.facts.reason = noted.or(record.facts.reason.take());
}

/// Whether the rules let this user open `/` on the host of a request.
fn opens_start(snapshot: &Snapshot, intake: &Intake, identity: &Arc<Identity>) -> bool {
    let own = snapshot.portal.own_paths();
    let found = own.resolve(&snapshot.router, &Method::GET, intake.host.name(), "/");
    let Ok(Destination::Service(found)) = found else {
        return false;
    };
    // as good as a sign-in can be: what it lacks, the browser is told there
    let authentication = Authentication::SignedIn {
        age: Some(Duration::ZERO),
        second_factor: true,
    };
    let subject = AccessSubject::known(Arc::clone(identity), intake.client.address)
        .authenticated(authentication);
    let (policy, path) = (&snapshot.services[found.service()].policy, found.path());
    let is_reported = policy.mode_of(policy.find(&Method::GET, path)) == Mode::Report;
    is_reported
        || matches!(
            policy.decide(&Method::GET, path, &subject),
            Decision::Allow(_)
        )
}

fn portal_caller(identified: &Identified) -> PortalCaller {
    match (
        identified.caller.subject().identity(),
        &identified.credential,
    ) {
        (
            Some(identity),
            CredentialOutcome::Holds {
                expires_at,
                session,
                ..
            },
        ) => PortalCaller::Known {
            identity: Arc::clone(identity),
            expires_at: *expires_at,
            session: *session,
            sign_in: identified.sign_in,
        },
        (_, CredentialOutcome::Refused(error)) => PortalCaller::Rejected(error.description()),
        (None, CredentialOutcome::Holds { .. }) | (_, CredentialOutcome::Absent) => {
            PortalCaller::Anonymous
        }
    }
}
