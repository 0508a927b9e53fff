//! Step 5: the decision, enforced.

use http::Method;

use super::facts::RequestFacts;
use super::identify::Outcome as Credential;
use super::rejection::Rejection;
use super::snapshot::Service;
use crate::access::{Caller, ForbidReason, Permit, PolicyDenial, RequestPath};

/// Enforces the decision of the service's policy.
///
/// # Errors
/// The rejection, where the denial is enforced.
pub(super) fn enforce<'a>(
    service: &Service,
    (method, path): (&Method, &'a RequestPath),
    caller: &'a Caller,
    credential: &Credential,
    facts: &mut RequestFacts,
) -> Result<Permit<'a>, Rejection> {
    match service.policy.enforce(method, path, caller) {
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
fn reject(denial: PolicyDenial, credential: &Credential) -> Rejection {
    match denial {
        PolicyDenial::Challenge(_) => match credential {
            Credential::Refused(error) => Rejection::BadCredential(*error),
            Credential::Absent | Credential::Holds { .. } => Rejection::Challenge,
        },
        PolicyDenial::Forbid(forbid) => {
            let closed = matches!(forbid.reason, ForbidReason::NoRule | ForbidReason::Nobody);
            let known = matches!(credential, Credential::Holds { .. });
            if known && !closed {
                Rejection::Forbidden(forbid)
            } else {
                Rejection::Closed(forbid)
            }
        }
    }
}
