//! What a worker caches of a verified token, for as long as the snapshot is in force.

use std::sync::Arc;

use crate::access::Identity;
use crate::token::{ExternalToken, VerifiedClaims};

/// What a worker remembers of a token that held, for as long as the snapshot is in force.
pub(super) enum Remembered {
    Own(Admitted),
    Foreign(ExternalToken),
}

/// A token of our own, and the user whom this snapshot's list has for it: the list does not change, so the user need not
/// be looked up again.
pub(super) struct Admitted {
    pub(super) claims: VerifiedClaims,
    pub(super) identity: Arc<Identity>,
}
