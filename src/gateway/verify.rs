//! The endpoint of forward-auth, where other proxies ask over HTTP.

use bytes::Bytes;
use http::Response;

use super::facts::RequestFacts;
use super::question::{Answered, Question, SentHead};
use super::rejection::Rejection;
use super::worker::{Pinned, Worker};
use crate::identify::CredentialError;
use crate::wire::{self, Intake, OriginalRequest};

/// Answers whether the request may pass that a trusted proxy describes: 200 with the identity headers, or why not.
/// `below` is the rest of the path behind the endpoint's own.
pub(super) fn verify(
    worker: &Worker,
    pinned: &Pinned,
    intake: &Intake,
    (below, refused): (&str, Option<CredentialError>),
    facts: &mut RequestFacts,
) -> Result<Answered<Response<Bytes>>, Rejection> {
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
        original: &original,
        sent: SentHead {
            headers: &intake.head.headers,
            credential: intake.credential.as_ref(),
            cookies: &intake.cookies,
            client: intake.client.asked_for(),
            refused,
        },
    };
    question.decide(facts, |permitted| {
        let mut response = Response::new(Bytes::new());
        if let Some(identity) = permitted.permit.identity() {
            let settings = &permitted.service.forwarding.identity;
            settings.set_fields(response.headers_mut(), identity);
        }
        wire::forbid_storing(response.headers_mut());
        response
    })
}
