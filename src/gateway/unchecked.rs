//! What waits for the check of a user name and a password.

use crate::access::ClientAddress;
use crate::identify::{Identified, PairDigest};
use crate::upstream::ClientBody;
use crate::wire::{BasicCredentials, Intake};

/// A request whose head was checked.
pub(super) struct Unjudged {
    pub(super) intake: Intake,
    pub(super) body: ClientBody,
}

/// A request whose user name and password nobody has checked under this snapshot.
pub(super) struct UncheckedRequest {
    pub(super) request: Unjudged,
    pub(super) pair: UncheckedPair,
}

/// Who sent a request, unless that takes a check.
pub(super) enum Sender {
    Identified(Identified),
    Unchecked(UncheckedPair),
}

/// A user name and a password, and for which client they are checked.
pub(super) struct UncheckedPair {
    pub(super) credentials: BasicCredentials,
    pub(super) digest: PairDigest,
    pub(super) client: ClientAddress,
}
