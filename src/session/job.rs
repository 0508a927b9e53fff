//! The jobs of a store, and their results.

use super::attempt::{
    Admission, AttemptLimits, Begun, LoginAttempt, PasswordResult, Subject, Throttled,
};
use super::browser::BrowserJob;
use super::factors::FactorJob;
use super::family::{Exchange, Family, Look, Shown};
use super::holds::Holds;
use super::reply::{JobReply, StoreUnavailable, answer};
use crate::token::{SessionId, SignIn};

/// The result of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenExchange {
    /// It was good, and the fresh one takes its place.
    Good {
        /// Who logged in.
        subject: Box<str>,
        /// When, in seconds since 1970.
        opened_at: u64,
        /// How.
        sign_in: SignIn,
        /// The number of the fresh one.
        generation: u64,
        /// What the store knew of the one that was shown.
        memory: StoreMemory,
    },
    /// It is unknown, expired, or of a session that has ended.
    Refused,
    /// It was spent before. The session has ended now.
    Reused {
        /// Whose session it was.
        subject: Box<str>,
    },
}

/// A refresh token that could be exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodRefreshToken {
    /// Who logged in.
    pub subject: Box<str>,
    /// When, in seconds since 1970.
    pub opened_at: u64,
    /// Until when it is good, in seconds since 1970.
    pub expires_at: u64,
}

impl GoodRefreshToken {
    /// What this family says of a token.
    pub(super) fn of(family: &Family, look: &Look) -> Option<Self> {
        Some(Self {
            subject: family.subject.clone(),
            opened_at: family.opened_at,
            expires_at: family.look(look)?,
        })
    }
}

/// What a store knew of a good token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMemory {
    /// It has it.
    Intact,
    /// It has gone back to a time before that token: a failover, or a backup that was put back.
    Behind,
}

/// One thing to do.
pub(super) enum Job {
    Open(Open, JobReply<()>),
    Exchange(ExchangeOrder, JobReply<TokenExchange>),
    /// Says whether a refresh token of this session is good, and leaves it as it is.
    Look(SessionId, Look, JobReply<Option<GoodRefreshToken>>),
    End(EndSession, JobReply<()>),
    /// Ends a session if its family exists.
    Leave(EndSession, JobReply<()>),
    /// At a time in milliseconds.
    Check(LoginAttempt, u64, JobReply<Result<Admission, Throttled>>),
    Record(RecordAttempt, JobReply<Result<Begun, Throttled>>),
    ClearLockouts(Vec<Subject>, JobReply<()>),
    /// The lockouts at a time in milliseconds, at most so many of them.
    List(usize, u64, JobReply<Holds>),
    /// About the recorded sessions.
    Browser(BrowserJob),
    /// About second factors, and values that are read once.
    Factors(FactorJob),
}

/// Keep a new family. Times are seconds since 1970, here and below.
pub(super) struct Open {
    pub(super) session: SessionId,
    pub(super) family: Family,
    pub(super) now: u64,
}

/// Exchange a refresh token for a fresh one.
pub(super) struct ExchangeOrder {
    pub(super) session: SessionId,
    pub(super) exchange: Exchange,
    /// When the last access token of the session will have expired.
    pub(super) last_token: u64,
}

/// End a session.
#[derive(Clone, Copy)]
pub(super) struct EndSession {
    pub(super) session: SessionId,
    pub(super) now: u64,
    /// When its last access token will have expired.
    pub(super) last_token: u64,
    /// When its last refresh token will have expired.
    pub(super) last_refresh: u64,
}

/// A password was checked. The time is in milliseconds.
pub(super) struct RecordAttempt {
    pub(super) attempt: LoginAttempt,
    pub(super) admission: Admission,
    pub(super) result: PasswordResult,
    pub(super) limits: AttemptLimits,
    pub(super) now: u64,
}

impl Job {
    /// Answers that it was not done.
    pub(super) fn refuse(self) {
        match self {
            Self::Open(_, reply)
            | Self::End(_, reply)
            | Self::Leave(_, reply)
            | Self::ClearLockouts(_, reply) => {
                answer(reply, Err(StoreUnavailable));
            }
            Self::Exchange(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Look(_, _, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Check(_, _, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Record(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::List(_, _, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Browser(job) => job.refuse(),
            Self::Factors(job) => job.refuse(),
        }
    }
}

impl StoreMemory {
    /// The memory of a store that found this of a good token.
    pub(super) fn of(became: Shown) -> Self {
        if became == Shown::Forgotten {
            Self::Behind
        } else {
            Self::Intact
        }
    }
}

impl TokenExchange {
    /// What a family that has made an exchange says of it.
    pub(super) fn good(family: &Family, memory: StoreMemory) -> Self {
        Self::Good {
            subject: family.subject.clone(),
            opened_at: family.opened_at,
            sign_in: family.sign_in,
            generation: family.generation(),
            memory,
        }
    }
}

impl ExchangeOrder {
    /// The order to end the session of this family, whose spent token was shown.
    pub(super) fn end(&self, family: &Family) -> EndSession {
        EndSession {
            session: self.session,
            now: self.exchange.now,
            last_token: self.last_token,
            last_refresh: family.expires_at(),
        }
    }
}
