//! Step 5: the decision, enforced.

use http::Method;

use super::facts::RequestFacts;
use super::rejection::Rejection;
use super::snapshot::ServiceSnapshot;
use crate::access::{
    Caller, Challenge, ChallengeReason, ForbidReason, Permit, PolicyDenial, RequestedPaths,
};
use crate::identify::{CredentialError, CredentialOutcome};
use crate::wire::Challenges;

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
    let challenges = service.challenges();
    match service.policy.enforce(method, paths, caller) {
        Ok(permit) => {
            let denial = permit.denial().cloned();
            let reported = denial.map(|denial| reject(denial, credential, challenges));
            facts.permit(&permit, reported.as_ref());
            Ok(permit)
        }
        Err(denial) => {
            facts.rule = denial.rule();
            Err(reject(denial, credential, challenges))
        }
    }
}

/// What a credential that is not valid is refused with.
pub(super) fn refuse_credential(error: CredentialError, challenges: Challenges) -> Rejection {
    match error {
        CredentialError::LockedOut(seconds) => Rejection::LockedOut(seconds),
        CredentialError::Unchecked => Rejection::Unchecked,
        CredentialError::Token(_)
        | CredentialError::Revoked
        | CredentialError::ApiKey(_)
        | CredentialError::UserGone
        | CredentialError::UserDisabled
        | CredentialError::TooOld
        | CredentialError::Password
        | CredentialError::SecondFactor
        | CredentialError::ProviderGone
        | CredentialError::Unconfirmed => Rejection::BadCredential(error, challenges),
    }
}

/// What a denial means for a client with this credential.
fn reject(
    denial: PolicyDenial,
    credential: &CredentialOutcome,
    challenges: Challenges,
) -> Rejection {
    match denial {
        PolicyDenial::Challenge(Challenge { reason, .. }) => match reason {
            ChallengeReason::SignIn(demand) => Rejection::StepUp(demand, challenges),
            ChallengeReason::Absent(sign_in) | ChallengeReason::Rejected(sign_in) => {
                let challenges = Challenges {
                    sign_in,
                    ..challenges
                };
                match credential {
                    CredentialOutcome::Refused(error) => refuse_credential(*error, challenges),
                    CredentialOutcome::Absent | CredentialOutcome::Holds { .. } => {
                        Rejection::Challenge(challenges)
                    }
                }
            }
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
