//! Between steps 5 and 6: counts a permitted request. What is refused before reaches no service and counts nowhere, so
//! that nobody uses up a caller's rate without that caller's rights, and a limit hides no denial.

use super::facts::RequestFacts;
use super::rejection::Rejection;
use super::worker::Pinned;
use crate::access::{Caller, Mode, Permit};
use crate::ambient;
use crate::rates::{LimitedBy, RateOutcome};
use crate::telemetry::metrics::RequestOutcome;

/// Counts the request for the rates of the service of this index and of the rule that permits it.
///
/// # Errors
/// The rejection, where one of them has no room and is enforced.
pub(super) fn count(
    (pinned, index): (&Pinned, usize),
    permit: &Permit<'_>,
    caller: &Caller,
    facts: &mut RequestFacts,
) -> Result<(), Rejection> {
    let Some(limits) = &pinned.snapshot.services[index].limits else {
        return Ok(());
    };
    let rule = permit.rule();
    let RateOutcome { levels, refusal } = limits.count(rule, caller.subject(), ambient::now());
    facts.levels = Some(levels);
    let Some(refusal) = refusal else {
        return Ok(());
    };
    let limited = match refusal.limit {
        LimitedBy::Rule => rule.map(|id| id.0),
        LimitedBy::Service => None,
    };
    pinned.handles[index].metrics.rate_limited(limited);
    let rejection = Rejection::TooMany(refusal);
    match refusal.mode {
        Mode::Enforce => {
            facts.outcome = RequestOutcome::Limited;
            Err(rejection)
        }
        Mode::Report => {
            facts.report(&rejection);
            Ok(())
        }
    }
}
