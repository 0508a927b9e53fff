//! The jobs of a store, and their results.

use std::fmt;

use tokio::sync::oneshot;

use super::attempt::{
    Admission, AttemptLimits, Begun, LoginAttempt, Network, PasswordResult, Subject, Throttled,
};
use super::family::{Family, Shown};
use super::holds::Holds;
use super::refresh_token::Digest;
use crate::token::SessionId;

/// The store cannot be reached, or cannot write. The requested change may or may not have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreUnavailable;

/// The result of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenExchange {
    /// It was good, and the fresh one takes its place.
    Good {
        /// Who logged in.
        subject: Box<str>,
        /// When, in seconds since 1970.
        opened_at: u64,
    },
    /// It is unknown, expired, or of a session that has ended.
    Refused,
    /// It was spent before. The session has ended now.
    Reused {
        /// Whose session it was.
        subject: Box<str>,
    },
}

/// Where the result of a job goes. The receiver is gone where the client has disconnected.
pub(super) type JobReply<T> = oneshot::Sender<Result<T, StoreUnavailable>>;

/// One thing to do.
pub(super) enum Job {
    Open(Open, JobReply<()>),
    Exchange(ExchangeOrder, JobReply<TokenExchange>),
    End(EndSession, JobReply<()>),
    /// Ends a session if its family exists.
    Leave(EndSession, JobReply<()>),
    /// At a time in milliseconds.
    Check(LoginAttempt, u64, JobReply<Result<Admission, Throttled>>),
    Record(RecordAttempt, JobReply<Result<Begun, Throttled>>),
    ClearLockouts(Vec<Subject>, JobReply<()>),
    /// The lockouts at a time in milliseconds, at most so many of them.
    List(usize, u64, JobReply<Holds>),
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
    pub(super) shown: Digest,
    pub(super) fresh: Digest,
    /// Where the request comes from.
    pub(super) network: Network,
    pub(super) now: u64,
    pub(super) ttl: u64,
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
            Self::Check(_, _, reply) => answer(reply, Err(StoreUnavailable)),
            Self::Record(_, reply) => answer(reply, Err(StoreUnavailable)),
            Self::List(_, _, reply) => answer(reply, Err(StoreUnavailable)),
        }
    }
}

/// Answers. A client that has gone needs no answer.
pub(super) fn answer<T>(reply: JobReply<T>, result: Result<T, StoreUnavailable>) {
    let _ = reply.send(result);
}

impl ExchangeOrder {
    /// Makes the exchange.
    pub(super) fn make(&self, family: &mut Family) -> Shown {
        family.exchange(self.shown, self.fresh, self.network, self.now, self.ttl)
    }

    /// The order to end the session of this family, whose spent token was shown.
    pub(super) fn end(&self, family: &Family) -> EndSession {
        EndSession {
            session: self.session,
            now: self.now,
            last_token: self.last_token,
            last_refresh: family.expires_at(),
        }
    }
}

impl fmt::Display for StoreUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state store cannot be reached")
    }
}

impl std::error::Error for StoreUnavailable {}
