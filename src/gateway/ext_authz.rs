//! Envoy asks over gRPC: the call around the decision.
//!
//! What Envoy's client has a part in is answered with a denial, never with an error of the call: with
//! `failure_mode_allow`, Envoy lets pass what it got an error for.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Version};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::audited;
use super::basic::{TRIES, check_pair};
use super::connection::ClientConnection;
use super::facts::RequestFacts;
use super::question::{Answered, Question, SentHead};
use super::record::RequestRecord;
use super::rejection::Rejection;
use super::seen::SeenRequest;
use super::snapshot::Snapshot;
use super::worker::{Pinned, Worker};
use crate::identify::CredentialError;
use crate::upstream::ClientBody;
use crate::wire::{
    BadRequest, CheckedRequest, Credential, FieldPresence, GrpcError, HeaderChanges, OriginalError,
    called_method, grpc_timeout,
};

/// How long a message may take to arrive, from the end of its head, whatever the caller allows.
const DEADLINE: Duration = Duration::from_secs(10);

/// A call that has arrived.
pub(super) struct Call {
    pub(super) head: Parts,
    pub(super) body: ClientBody,
}

/// Whether a request calls a method of the service.
pub(super) fn is_call(head: &Parts) -> bool {
    let kind = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
    called_method(head.uri.path()).is_some() && head.headers.get(CONTENT_TYPE).is_some_and(kind)
}

/// Refuses a call that is not read further.
pub(super) fn accept(
    head: &Parts,
    connection: &ClientConnection,
    snapshot: &Snapshot,
) -> Result<(), Rejection> {
    connection.check(snapshot)?;
    if !snapshot.trusted.trust(connection.peer()) {
        return Err(GrpcError::NotTrusted.into());
    }
    if head.version != Version::HTTP_2 {
        return Err(GrpcError::NotHttp2.into());
    }
    match called_method(head.uri.path()) {
        Some("Check") if head.method == Method::POST => Ok(()),
        _ => Err(GrpcError::UnknownMethod.into()),
    }
}

/// Waits for the message, and decides with what is in force then.
pub(super) async fn check(
    worker: &Worker,
    call: Box<Call>,
    connection: &ClientConnection,
    record: &mut RequestRecord,
) -> Result<HeaderChanges, Rejection> {
    let Call { head, body } = *call;
    let longest = grpc_timeout(&head.headers)?.map_or(DEADLINE, |longest| longest.min(DEADLINE));
    record.reservation = None;
    let received = async {
        let message = receive(body).await?;
        record.pin_again();
        if let Some(audit) = record.snapshot().audit.clone() {
            audited::reserve(record, audit).await;
        }
        Ok::<Bytes, GrpcError>(message)
    };
    let deadline = worker.ticker.deadline();
    deadline.arm(longest);
    let message = tokio::select! {
        biased;
        message = received => message?,
        () = deadline.passed() => return Err(GrpcError::DeadlineExceeded.into()),
    };
    let mut refused = None;
    for _ in 0..TRIES {
        let pinned = record.pinned();
        accept(&head, connection, &pinned.snapshot)?;
        let request = CheckedRequest::read(&message)?;
        record.facts.over_grpc = true;
        match decide(worker, &pinned, (request, refused), &mut record.facts)? {
            Answered::Permitted(changes) => return Ok(changes),
            Answered::Unchecked(pair) => {
                refused = check_pair(worker, record, &pair, connection).await;
            }
        }
    }
    Err(Rejection::Unchecked)
}

async fn receive(body: ClientBody) -> Result<Bytes, GrpcError> {
    const LIMIT: usize = GrpcError::MESSAGE_BYTES;
    if body.size_hint().lower() > LIMIT as u64 {
        return Err(GrpcError::TooLarge);
    }
    let collected = Limited::new(body, LIMIT).collect().await;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(GrpcError::TooLarge),
        Err(_) => Err(GrpcError::Framing),
    }
}

/// Methods that the gateway does not take from clients either have the same answer here.
fn unclear(error: OriginalError, method: &Method) -> Rejection {
    if error == OriginalError::Method && [Method::CONNECT, Method::TRACE].contains(method) {
        Rejection::Ambiguous(BadRequest::MethodNotAllowed)
    } else {
        Rejection::Unclear(error)
    }
}

fn decide(
    worker: &Worker,
    pinned: &Pinned,
    (request, refused): (CheckedRequest<'_>, Option<CredentialError>),
    facts: &mut RequestFacts,
) -> Result<Answered<HeaderChanges>, Rejection> {
    let snapshot = &*pinned.snapshot;
    let (method, host, path) = request.shown();
    facts.method = method;
    facts.host = host.into();
    facts.path = path.into();
    let mut request = request
        .describe(&snapshot.trusted)
        .map_err(|error| unclear(error, &facts.method))?;
    facts.client = request.client;
    if let Some(id) = &request.request_id {
        facts.request_id = id.clone();
    }
    let method = &request.original.method;
    facts.seen = SeenRequest::described(method, || request.target, &request.headers);
    if request.target.len() > BadRequest::TARGET_BYTES {
        return Err(BadRequest::TargetTooLong.into());
    }
    snapshot.check_number(&request.headers)?;
    let credential = Credential::read(&request.headers, FieldPresence::of(&request.headers))?;
    let cookies = request.take_cookies(&snapshot.cookie);
    let question = Question {
        worker,
        pinned,
        original: &request.original,
        sent: SentHead {
            headers: &request.headers,
            credential: credential.as_ref(),
            cookies: &cookies,
            client: request.client,
            refused,
        },
    };
    if let Some(seen) = &mut facts.seen {
        seen.credential = question.credential()?;
    }
    question.decide(facts, |permitted| {
        let how = &permitted.service.forwarding;
        let rules = (&*how.filter, &how.identity);
        let credentials = (permitted.credential, permitted.secret);
        HeaderChanges::new(permitted.permit, &request, rules, credentials)
    })
}
