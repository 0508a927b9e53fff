//! Step 5: the decision, enforced.

use http::Method;

use super::facts::RequestFacts;
use super::rejection::Rejection;
use super::snapshot::ServiceSnapshot;
use crate::access::{Caller, ForbidReason, Permit, PolicyDenial, RequestedPaths};
use crate::identify::CredentialOutcome;

/// Enforces the decision of the service's policy.
///
/// # Errors
/// The rejection, where the denial is enforced.
pub(super) fn enforce<'a>(
    service: &ServiceSnapshot,
    (method, paths): (&Method, RequestedPaths<'a>),
    caller: &'a Caller,
    credential: &CredentialOutcome,
    facts: &mut RequestFacts,
) -> Result<Permit<'a>, Rejection> {
    match service.policy.enforce(method, paths, caller) {
        Ok(permit) => {
            let denial = permit.denial().cloned();
            let reported = denial.map(|denial| reject(denial, credential));
            facts.permit(&permit, reported.as_ref());
            Ok(permit)
        }
        Err(denial) => {
            facts.rule = denial.rule();
            Err(reject(denial, credential))
        }
    }
}

/// What a denial means for a client with this credential.
fn reject(denial: PolicyDenial, credential: &CredentialOutcome) -> Rejection {
    match denial {
        PolicyDenial::Challenge(_) => match credential {
            CredentialOutcome::Refused(error) => Rejection::BadCredential(*error),
            CredentialOutcome::Absent | CredentialOutcome::Holds { .. } => Rejection::Challenge,
        },
        PolicyDenial::Forbid(forbid) => {
            let closed = matches!(forbid.reason, ForbidReason::NoRule | ForbidReason::Nobody);
            let known = matches!(credential, CredentialOutcome::Holds { .. });
            if known && !closed {
                Rejection::Forbidden(forbid)
            } else {
                Rejection::Closed(forbid)
            }
        }
    }
}
