//! What this process keeps itself, for `memory` and for `file:`.

mod browsers;
mod factors;

use ahash::RandomState;
use tokio::sync::mpsc::Receiver;

use super::attempt::{Account, Begun, Subject, Throttled};
use super::browser::{BrowserSession, BrowserShelf, OnceKey, UsedKeys};
use super::factors::{FactorShelf, KeptValues, StoredFactors};
use super::family::{Family, Shown};
use super::holds::Holds;
use super::job::{
    EndSession, ExchangeOrder, GoodRefreshToken, Job, Open, RecordAttempt, StoreMemory,
    TokenExchange,
};
use super::known::KnownNetworks;
use super::passed_time::PassedTime;
use super::reply::{JobReply, StoreUnavailable, answer};
use super::revocations::Revocations;
use super::throttle::{LoginThrottle, ThrottleUpdate};
use super::vault::{CAPACITY, Vault};
use crate::ambient;
use crate::token::SessionId;

/// Jobs that are done, and written down, together.
pub(super) const BATCH: usize = 256;

/// How often expired things are looked for, in seconds; only when there is something to do anyway.
const PURGE: u64 = 60;

/// Everything that is kept, with the changes since they were last taken away.
pub(super) struct Local {
    vault: Vault,
    browsers: BrowserShelf,
    used: UsedKeys,
    factors: FactorShelf,
    kept: KeptValues,
    throttle: LoginThrottle,
    time: PassedTime,
    pub(super) changes: Vec<StoredChange>,
    next_purge: u64,
}

/// One change to persist.
pub(super) enum StoredChange {
    Keep(SessionId, Family),
    Forget(SessionId),
    /// A session has ended; the second after which the revocation can be dropped.
    Revoke(SessionId, u64),
    /// A subject is held, until this millisecond of the wall clock.
    Hold(Subject, u64),
    Release(Subject),
    /// The known networks of an account.
    Know(Account, KnownNetworks),
    /// The record of a browser's session.
    KeepBrowser(SessionId, BrowserSession),
    ForgetBrowser(SessionId),
    /// Something that is good once was used; it is refused anyway from this second on.
    Use(OnceKey, u64),
    /// The second factors of their person.
    KeepFactors(StoredFactors),
    ForgetFactors(Box<str>),
    /// Everything that has expired by this second.
    Purge(u64),
}

/// Answers, once it is certain that what was done is kept.
type Deferred = Box<dyn FnOnce(Result<(), StoreUnavailable>)>;

fn deferred<T: 'static>(reply: JobReply<T>, value: T) -> Deferred {
    Box::new(move |kept| answer(reply, kept.map(|()| value)))
}

impl Local {
    pub(super) fn new(hasher: &RandomState) -> Self {
        let (vault, throttle) = (Vault::new(CAPACITY, hasher), LoginThrottle::new(hasher));
        Self {
            vault,
            browsers: BrowserShelf::default(),
            used: UsedKeys::new(hasher),
            factors: FactorShelf::new(hasher),
            kept: KeptValues::new(hasher),
            throttle,
            time: PassedTime::since(ambient::unix_millis(), ambient::now()),
            changes: Vec::new(),
            next_purge: 0,
        }
    }

    /// Restores what was persisted.
    pub(super) fn restore(&mut self, change: StoredChange, now_millis: u64) {
        match change {
            StoredChange::Keep(session, family) => {
                for session in self.vault.put(session, family) {
                    self.changes.push(StoredChange::Forget(session));
                }
            }
            StoredChange::Hold(subject, until) => self.throttle.restore(subject, until, now_millis),
            StoredChange::Know(account, known) => self.throttle.restore_known(account, known),
            StoredChange::KeepBrowser(session, record) => {
                for session in self.browsers.put(session, &record) {
                    self.changes.push(StoredChange::ForgetBrowser(session));
                }
            }
            StoredChange::Use(key, until) => drop(self.used.insert(key, until)),
            StoredChange::KeepFactors(factors) => self.factors.put(factors),
            StoredChange::Forget(_)
            | StoredChange::ForgetBrowser(_)
            | StoredChange::ForgetFactors(_)
            | StoredChange::Revoke(..)
            | StoredChange::Release(_)
            | StoredChange::Purge(_) => {}
        }
    }

    pub(super) fn perform(&mut self, job: Job, revocations: &Revocations) -> Deferred {
        match job {
            Job::Open(open, reply) => {
                self.open(open);
                deferred(reply, ())
            }
            Job::Exchange(order, reply) => deferred(reply, self.exchange(&order, revocations)),
            Job::Look(session, look, reply) => {
                let family = self.vault.find(&session);
                let family = family.filter(|_| !revocations.contains(&session));
                let good = family.and_then(|family| GoodRefreshToken::of(family, &look));
                deferred(reply, good)
            }
            Job::End(end, reply) => {
                self.end(end);
                deferred(reply, ())
            }
            Job::Leave(end, reply) => {
                self.leave(end);
                deferred(reply, ())
            }
            Job::Check(attempt, now, reply) => {
                let now = self.passed(now);
                deferred(reply, self.throttle.check(&attempt, now))
            }
            Job::Record(mut record, reply) => {
                record.now = self.passed(record.now);
                deferred(reply, self.record(&record))
            }
            Job::ClearLockouts(subjects, reply) => {
                for subject in subjects {
                    self.throttle.lift(&subject);
                    self.changes.push(StoredChange::Release(subject));
                }
                deferred(reply, ())
            }
            Job::List(limit, now, reply) => {
                let now = self.passed(now);
                let holds = self.throttle.holds(now).into_iter();
                let shown = holds.map(|(subject, until)| (subject, self.time.on_the_wall(until)));
                deferred(reply, Holds::of(shown.collect(), limit))
            }
            Job::Browser(job) => self.perform_browser(job, revocations),
            Job::Factors(job) => self.perform_factors(job),
        }
    }

    /// Milliseconds by which lockouts are measured, at this time of the wall clock.
    fn passed(&mut self, wall: u64) -> u64 {
        self.time.advance(wall, ambient::now());
        self.time.longest()
    }

    fn record(&mut self, record: &RecordAttempt) -> Result<Begun, Throttled> {
        let mut outcome = ThrottleUpdate::default();
        self.throttle.record(record, &mut outcome)?;
        let mut begun = Begun::default();
        for (subject, until) in outcome.holds {
            begun.note(&subject);
            let until = self.time.on_the_wall(until);
            self.changes.push(StoredChange::Hold(subject, until));
        }
        let known = outcome.known;
        self.changes
            .extend(known.map(|known| StoredChange::Know(record.attempt.account, known)));
        Ok(begun)
    }

    fn open(&mut self, open: Open) {
        self.purge(open.now);
        self.keep(open.session, open.family);
    }

    fn exchange(&mut self, order: &ExchangeOrder, revocations: &Revocations) -> TokenExchange {
        let found = self.vault.find(&order.session).cloned();
        let found = found.filter(|_| !revocations.contains(&order.session));
        let Some(mut family) = found else {
            return TokenExchange::Refused;
        };
        let became = family.exchange(&order.exchange);
        match became {
            Shown::Good | Shown::Forgotten => {
                let good = TokenExchange::good(&family, StoreMemory::of(became));
                self.keep(order.session, family);
                good
            }
            Shown::Expired => TokenExchange::Refused,
            Shown::Reused => {
                self.end(order.end(&family));
                TokenExchange::Reused {
                    subject: family.subject,
                }
            }
        }
    }

    fn end(&mut self, end: EndSession) {
        self.purge(end.now);
        if self.vault.remove(&end.session).is_some() {
            self.changes.push(StoredChange::Forget(end.session));
        }
        if self.browsers.remove(&end.session).is_some() {
            self.changes.push(StoredChange::ForgetBrowser(end.session));
        }
        self.changes
            .push(StoredChange::Revoke(end.session, end.last_token));
    }

    /// Without a family nothing is noted: anybody could make up sessions to end.
    fn leave(&mut self, end: EndSession) {
        if self.vault.find(&end.session).is_some() {
            self.end(end);
        }
    }

    fn keep(&mut self, session: SessionId, family: Family) {
        self.changes
            .push(StoredChange::Keep(session, family.clone()));
        let leaving = self.vault.put(session, family);
        self.changes
            .extend(leaving.into_iter().map(StoredChange::Forget));
    }

    /// Forgets what has expired by any account.
    fn purge(&mut self, now: u64) {
        let now = now.min(self.time.shortest_seconds());
        if now < self.next_purge {
            return;
        }
        self.next_purge = now.saturating_add(PURGE);
        while let Some(session) = self.vault.remove_expired(now) {
            self.changes.push(StoredChange::Forget(session));
        }
        while let Some(session) = self.browsers.remove_expired(now) {
            self.changes.push(StoredChange::ForgetBrowser(session));
        }
        self.used.forget_expired(now);
        self.changes.push(StoredChange::Purge(now));
    }
}

/// Publishes revocations to the whole process.
pub(super) fn publish(changes: &[StoredChange], revocations: &Revocations) {
    let ended = changes.iter().filter_map(|change| match change {
        StoredChange::Revoke(session, until) => Some((*session, *until)),
        StoredChange::Keep(..)
        | StoredChange::Forget(_)
        | StoredChange::Hold(..)
        | StoredChange::Release(_)
        | StoredChange::Know(..)
        | StoredChange::KeepBrowser(..)
        | StoredChange::ForgetBrowser(_)
        | StoredChange::Use(..)
        | StoredChange::KeepFactors(_)
        | StoredChange::ForgetFactors(_)
        | StoredChange::Purge(_) => None,
    });
    revocations.add(&ended.collect::<Vec<_>>());
    for change in changes {
        if let StoredChange::Purge(now) = change {
            revocations.forget_expired(*now);
        }
    }
}

/// Serves `memory` until the last sender is gone.
pub(super) async fn serve_memory(
    mut jobs: Receiver<Job>,
    mut local: Local,
    revocations: &Revocations,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        for job in batch.drain(..) {
            let answer = local.perform(job, revocations);
            publish(&std::mem::take(&mut local.changes), revocations);
            answer(Ok(()));
        }
    }
}
