//! Jobs about second factors, and about values that are read once.

use super::stored::{FactorName, FactorPage, FactorSwap, StoredFactors};
use crate::session::browser::OnceKey;
use crate::session::reply::{JobReply, StoreUnavailable, answer};

/// One thing to do. Times are seconds since 1970.
pub(in crate::session) enum FactorJob {
    /// The factors of a person.
    Find(Box<str>, JobReply<Option<StoredFactors>>),
    /// Those that have a name.
    FindNamed(FactorName, JobReply<Option<StoredFactors>>),
    Swap(SwapFactors, JobReply<FactorSwap>),
    /// Forgets the factors of a person; says whether there were any.
    Remove(Box<str>, JobReply<bool>),
    /// So many people, from a place on.
    List(u64, u64, JobReply<FactorPage>),
    /// Says whether there was room.
    Keep(KeepOnce, JobReply<bool>),
    /// Reads a value that nobody reads again.
    Take(OnceKey, u64, JobReply<Option<Vec<u8>>>),
}

/// Replace the factors of their person by the next state of them.
pub(in crate::session) struct SwapFactors {
    pub(in crate::session) factors: StoredFactors,
}

/// Keep a value for who asks first.
pub(in crate::session) struct KeepOnce {
    pub(in crate::session) key: OnceKey,
    pub(in crate::session) value: Vec<u8>,
    pub(in crate::session) until: u64,
    pub(in crate::session) now: u64,
}

impl SwapFactors {
    /// The state that the new one replaces; 0: none.
    pub(in crate::session) fn expected_turn(&self) -> u64 {
        self.factors.turn.saturating_sub(1)
    }
}

impl FactorJob {
    /// Answers that it was not done.
    pub(in crate::session) fn refuse(self) {
        match self {
            Self::Find(_, reply) | Self::FindNamed(_, reply) => {
                answer(reply, Err(StoreUnavailable));
            }
            Self::Swap(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Remove(_, reply) | Self::Keep(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::List(_, _, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Take(_, _, reply) => answer(reply, Err(StoreUnavailable)),
        }
    }
}
