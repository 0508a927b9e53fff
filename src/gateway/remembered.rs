//! What a worker caches of a verified token, for as long as the snapshot is in force.

use std::sync::Arc;

use crate::access::Identity;
use crate::token::{ExternalToken, VerifiedClaims};

/// A verified token in the cache of a worker, for as long as the snapshot is in force.
pub(super) enum Remembered {
    Own(Admitted),
    Foreign(ExternalToken),
}

/// A token of the gateway, and its user in this snapshot's user list. The list is immutable, so the user is looked up
/// once.
pub(super) struct Admitted {
    pub(super) claims: VerifiedClaims,
    pub(super) identity: Arc<Identity>,
}
