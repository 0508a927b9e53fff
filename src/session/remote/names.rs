//! What sessions are called in Redis.

use crate::token::SessionId;

/// The refresh tokens of a session.
pub(super) fn family_key(session: &SessionId) -> String {
    format!("gatelatch:family:{session}")
}

/// When a browser's session was last used.
pub(super) fn last_use_key(session: &SessionId) -> String {
    format!("gatelatch:seen:{session}")
}

/// The record of a browser's session.
pub(super) fn browser_key(session: &SessionId) -> String {
    format!("gatelatch:browser:{session}")
}
