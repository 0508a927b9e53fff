//! Step 5: the decision, and what is written down of it.

use http::Method;

use super::audited;
use super::identify::Outcome as Credential;
use super::record::Record;
use super::rejection::Rejection;
use super::snapshot::Service;
use crate::access::{Caller, Decision, ForbidReason, Permit, RequestPath};
use crate::telemetry::metrics::Outcome;

/// The permit, or why there is none, not even where denials are only reported.
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
fn permit<'a>(
    decision: Decision<'a>,
    credential: Credential,
    record: &mut Record,
) -> Result<Permit<'a>, Rejection> {
    match decision {
        Decision::Allow(permit) => {
            record.rule = permit.rule();
            record.outcome = Outcome::Allowed;
            // nothing is left that the audit stream is told: an answer of hours keeps no place in it
            record.reservation = None;
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
            Err(if known && !closed {
                Rejection::Forbidden(forbid)
            } else {
                Rejection::Closed(forbid)
            })
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
    match service
        .policy
        .overlook(record.rule, service.mode, path, caller)
    {
        None => Err(denial),
        Some(permit) => {
            record.outcome = Outcome::Reported;
            record.reason = Some(format!(
                "would be {}: {}",
                denial.status().as_u16(),
                denial.reason()
            ));
            audited::denial(record);
            Ok(permit)
        }
    }
}
