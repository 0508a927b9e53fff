//! Where the client of a request is, for the record of a session that it begins.

use http::header::USER_AGENT;

use crate::session::SessionPlace;
use crate::wire::Intake;

/// The place that a session is recorded with which this request begins.
pub(super) fn place_of(intake: &Intake) -> SessionPlace {
    let user_agent = intake.head.headers.get(USER_AGENT);
    let user_agent = user_agent.and_then(|value| value.to_str().ok());
    SessionPlace::of(intake.client.accountable_address(), user_agent)
}
