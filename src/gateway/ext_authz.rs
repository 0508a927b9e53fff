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
use tokio::time::timeout_at;

use super::basic::{TRIES, check_pair, reserve};
use super::connection::ClientConnection;
use super::facts::RequestFacts;
use super::question::{Answered, Question, SentHead};
use super::record::RequestRecord;
use super::rejection::Rejection;
use super::seen::SeenRequest;
use super::snapshot::Snapshot;
use super::worker::{Pinned, Worker};
use crate::ambient;
use crate::identify::CredentialError;
use crate::upstream::ClientBody;
use crate::wire::{
    BadRequest, CheckedRequest, Credential, FieldPresence, GrpcError, HeaderChanges, OriginalError,
    called_method, grpc_timeout,
};

/// How long a call may take from the end of its head, whatever the caller allows.
const DEADLINE: Duration = Duration::from_secs(10);

/// For the way of an answer.
const LONGEST_WAY: Duration = Duration::from_secs(1);

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

/// Waits for the message, and decides with what is in force then. What the caller's own client can make last as long as it likes
/// is answered before the caller stops waiting.
pub(super) async fn check(
    worker: &Worker,
    call: Box<Call>,
    connection: &ClientConnection,
    record: &mut RequestRecord,
) -> Result<HeaderChanges, Rejection> {
    let Call { head, body } = *call;
    let longest = grpc_timeout(&head.headers)?.map_or(DEADLINE, |longest| longest.min(DEADLINE));
    let answer_by = ambient::now() + longest - LONGEST_WAY.min(longest / 4);
    record.reservation = None;
    let received = async {
        let message = receive(body).await?;
        record.pin_again();
        reserve(record).await;
        Ok::<Option<Bytes>, GrpcError>(message)
    };
    let deadline = worker.ticker.deadline();
    deadline.arm(longest);
    let message = tokio::select! {
        biased;
        message = received => message?,
        () = deadline.passed() => return Err(GrpcError::DeadlineExceeded.into()),
    };
    let Some(message) = message else {
        record.facts.over_grpc = true;
        return Err(BadRequest::DescriptionTooLong.into());
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
                // a caller that waits no longer counts an error, which may let the request pass
                let checking = check_pair(worker, record, &pair, connection);
                let Ok(checked) = timeout_at(answer_by.into(), checking).await else {
                    record.pin_again();
                    reserve(record).await;
                    return Err(Rejection::Unchecked);
                };
                refused = checked;
            }
        }
    }
    Err(Rejection::Unchecked)
}

/// The message; `None` where it is too long, for which a client's header fields are enough.
async fn receive(body: ClientBody) -> Result<Option<Bytes>, GrpcError> {
    const LIMIT: usize = GrpcError::MESSAGE_BYTES;
    if body.size_hint().lower() > LIMIT as u64 {
        return Ok(None);
    }
    let collected = Limited::new(body, LIMIT).collect().await;
    match collected {
        Ok(collected) => Ok(Some(collected.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
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
