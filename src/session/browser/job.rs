//! Jobs about recorded sessions.

use super::once::OnceKey;
use super::record::BrowserSession;
use super::select::{EndedSessions, Selection, SessionPage, SessionSelector};
use crate::session::reply::{JobReply, StoreUnavailable, answer};
use crate::token::SessionId;

/// One thing to do. Times are seconds since 1970.
pub(in crate::session) enum BrowserJob {
    Begin(BeginBrowser, JobReply<()>),
    Find(SessionId, JobReply<Option<BrowserSession>>),
    Update(UpdateBrowser, JobReply<bool>),
    Used(UsedBrowser, JobReply<()>),
    /// Uses something until a time at which it is refused anyway, now.
    UseOnce(OnceKey, u64, u64, JobReply<bool>),
    /// Says whether something was used, and leaves it as it is.
    WasUsed(OnceKey, JobReply<bool>),
    /// Takes the right to renew a session, if nobody has it.
    Lease(Renewal, JobReply<bool>),
    /// Gives it back.
    Release(Renewal, JobReply<()>),
    List(ListSessions, JobReply<SessionPage>),
    End(EndSelected, JobReply<EndedSessions>),
}

/// Record a session that begins.
pub(in crate::session) struct BeginBrowser {
    pub(in crate::session) session: SessionId,
    pub(in crate::session) record: BrowserSession,
    pub(in crate::session) now: u64,
    /// When the last token of a session has expired that has to make room.
    pub(in crate::session) last_token: u64,
}

/// Replace the record of a session that is in this state.
pub(in crate::session) struct UpdateBrowser {
    pub(in crate::session) session: SessionId,
    pub(in crate::session) record: BrowserSession,
    pub(in crate::session) expected_turn: u64,
    pub(in crate::session) now: u64,
}

/// The cookie of a session was renewed.
#[derive(Clone, Copy)]
pub(in crate::session) struct UsedBrowser {
    pub(in crate::session) session: SessionId,
    pub(in crate::session) now: u64,
    /// When the session ends at the latest.
    pub(in crate::session) last_second: u64,
}

/// The right of one replica to renew a session.
#[derive(Clone, Copy)]
pub(in crate::session) struct Renewal {
    pub(in crate::session) session: SessionId,
    /// A random name for who has it.
    pub(in crate::session) holder: [u8; 16],
    /// After so many milliseconds it is anybody's again.
    pub(in crate::session) millis: u64,
}

/// List sessions, from a place on, and look at so many at the most.
pub(in crate::session) struct ListSessions {
    pub(in crate::session) selection: Selection,
    pub(in crate::session) from: u64,
    pub(in crate::session) count: u64,
    pub(in crate::session) now: u64,
}

/// End sessions.
pub(in crate::session) struct EndSelected {
    pub(in crate::session) selector: SessionSelector,
    pub(in crate::session) now: u64,
    /// When the last token of any of them has expired.
    pub(in crate::session) last_token: u64,
    /// When the last refresh token of any of them has expired.
    pub(in crate::session) last_refresh: u64,
}

impl BrowserJob {
    /// Answers that it was not done.
    pub(in crate::session) fn refuse(self) {
        match self {
            Self::Begin(_, reply) | Self::Used(_, reply) | Self::Release(_, reply) => {
                answer(reply, Err(StoreUnavailable));
            }
            Self::Find(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Update(_, reply) | Self::UseOnce(_, _, _, reply) | Self::Lease(_, reply) => {
                answer(reply, Err(StoreUnavailable))
            }
            Self::WasUsed(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::List(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::End(_, reply) => answer(reply, Err(StoreUnavailable)),
        }
    }
}
