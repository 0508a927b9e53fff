//! The state of one server, shared by the whole process: atomics that workers read and add to.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::origin::Origin;
use super::tls_failures::TlsFailureLog;
use crate::ambient;
use crate::net::TlsFailure;

/// Failures in a row after which a server is out for a while.
pub(super) const FAILURES: u32 = 5;

/// Connections in a row that were not made after which a server that no other can stand in for is reported as failing. Not
/// one: a single one may be lost, and the request that it was for is tried again.
pub(super) const UNREACHED: u32 = 2;

/// The shortest time from one report of a failing server to the next, for one that fails and answers by turns.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// How long it is out the first time; each further time twice as long.
const FIRST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(300);

/// How long a server that comes back gets less than its share.
const SLOW_RETURN: Duration = Duration::from_secs(10);

/// The share that it begins with.
const FIRST_SHARE: f64 = 0.1;

/// Milliseconds since the process began to watch servers, which is never 0.
pub(super) type Moment = u64;

/// Tells moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

/// One server of one service.
#[derive(Debug)]
pub struct ServerState {
    service: Box<str>,
    name: Box<str>,
    clock: Clock,
    /// Whether the checks find it healthy; true where it is not checked.
    healthy: AtomicBool,
    /// From when on it gets requests; 0: always did.
    back_at: AtomicU64,
    /// Failures in a row.
    failures: AtomicU32,
    /// Whether requests do not reach it, and go on being tried. Only with `failures` above 0.
    failing: AtomicBool,
    /// What its handshakes failed for.
    tls: TlsFailureLog,
    /// Requests under way, where they are counted.
    load: AtomicUsize,
    rests: Mutex<Rests>,
}

/// How often a server was out for failing, and what was reported of that.
#[derive(Debug, Default)]
struct Rests {
    /// In a row, the present one left out.
    before: u32,
    /// The end of the last one; 0: there was none.
    until: Moment,
    /// Whether its return is still to be announced.
    resting: bool,
    /// Whether it is reported as failing.
    reported: bool,
    /// When it was; 0: never.
    reported_at: Moment,
}

/// Counts a request in flight at a server until it is dropped.
#[derive(Debug)]
#[must_use = "it counts only while it lives"]
pub struct ServerLoad(Arc<ServerState>);

/// The state of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ServerCondition {
    /// It gets this share of what it would get otherwise: 0.1 to 1.
    Serving(f64),
    /// It gets this share, since no server is better, and the last requests did not reach it.
    Failing(f64),
    /// It is out for failing, and will be back by itself.
    Resting,
    /// Its checks fail.
    Down,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self(ambient::now())
    }

    pub(super) fn now(self) -> Moment {
        to_moment(ambient::now().duration_since(self.0)) + 1
    }
}

fn to_moment(duration: Duration) -> Moment {
    u64::try_from(duration.as_millis()).unwrap_or(Moment::MAX)
}

impl ServerState {
    pub(super) fn new(service: &str, origin: &Origin, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            service: service.into(),
            name: origin.to_string().into(),
            clock,
            healthy: AtomicBool::new(true),
            back_at: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            failing: AtomicBool::new(false),
            tls: TlsFailureLog::default(),
            load: AtomicUsize::new(0),
            rests: Mutex::default(),
        })
    }

    /// As it is called in logs and metrics.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Whether its checks allow requests.
    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Relaxed)
    }

    pub(super) fn condition(&self, now: Moment) -> ServerCondition {
        if !self.is_healthy() {
            return ServerCondition::Down;
        }
        let share = match self.back_at.load(Relaxed) {
            0 => 1.0,
            back if back > now => return ServerCondition::Resting,
            back => share(now - back),
        };
        if self.failing.load(Relaxed) {
            ServerCondition::Failing(share)
        } else {
            ServerCondition::Serving(share)
        }
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Relaxed)
    }

    /// One request more.
    pub(super) fn take_on(self: &Arc<Self>) -> ServerLoad {
        self.load.fetch_add(1, Relaxed);
        ServerLoad(Arc::clone(self))
    }

    /// A request was answered.
    pub(super) fn note_success(&self) {
        // hardly ever written: the line stays in every worker's cache
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            if self.failing.swap(false, Relaxed) && std::mem::take(&mut self.rests().reported) {
                self.say_up("it answers again");
            }
        }
    }

    /// How many failures in a row this one makes.
    pub(super) fn note_failure(&self, now: Moment) -> u32 {
        // requests that were in flight at its ejection are no new failures
        let resting = self.back_at.load(Relaxed) > now;
        if resting {
            0
        } else {
            self.failures.fetch_add(1, Relaxed).saturating_add(1)
        }
    }

    /// Counts a failed handshake, and reports it where that kind was not reported lately.
    pub(super) fn note_tls_failure(&self, failure: TlsFailure, why: &dyn Display) {
        if self.tls.note(failure, self.now()) {
            let (service, server, reason) = (&*self.service, &*self.name, failure.label());
            tracing::warn!(event = "upstream_tls_failed", service, server, reason, %why);
        }
    }

    /// Failed handshakes so far, by kind.
    pub(super) fn tls_failures(&self) -> [(&'static str, u64); TlsFailure::ALL.len()] {
        self.tls.counts()
    }

    /// Takes it out for a while.
    pub(super) fn rest(&self, why: &str) {
        let now = self.now();
        let mut rests = self.rests();
        let Some(rest) = rests.next(now) else {
            return;
        };
        self.failing.store(false, Relaxed);
        self.failures.store(0, Relaxed);
        self.back_at.store(now + to_moment(rest), Relaxed);
        if !std::mem::take(&mut rests.reported) {
            self.say_down(why, Some(rest.as_secs()));
        }
    }

    /// Reports that requests do not reach it, once until one does. It goes on being tried, for there is no other.
    pub(super) fn fail(&self, why: &str) {
        let now = self.now();
        let mut rests = self.rests();
        self.failing.store(true, Relaxed);
        let lately = rests.reported_at != 0 && now - rests.reported_at < to_moment(REPORT_EVERY);
        if !rests.reported && !lately {
            (rests.reported, rests.reported_at) = (true, now);
            self.say_down(why, None);
        }
    }

    /// When its return is to be announced, if it rests.
    pub(super) fn returns_at(&self) -> Option<Moment> {
        self.rests().resting.then(|| self.back_at.load(Relaxed))
    }

    /// Ends its ejection. It gets requests again, and is back where `checks_succeed`; otherwise only the first answer says
    /// that it is any better.
    pub(super) fn end_rest(&self, checks_succeed: bool) {
        let mut rests = self.rests();
        if !std::mem::take(&mut rests.resting) {
            return;
        }
        if checks_succeed {
            self.say_up("its rest is over, and its checks succeed");
        } else {
            rests.reported = true;
            self.failures.fetch_max(1, Relaxed);
            self.failing.store(true, Relaxed);
        }
    }

    /// What the checks have come to.
    pub(super) fn set_unhealthy(&self, why: &str) {
        if self.healthy.swap(false, Relaxed) {
            self.say_down(why, None);
        }
    }

    /// What the checks have come to. It returns slowly.
    pub(super) fn set_healthy(&self) {
        if !self.is_healthy() {
            self.failures.store(0, Relaxed);
            self.failing.store(false, Relaxed);
            self.back_at.fetch_max(self.now(), Relaxed);
            self.healthy.store(true, Relaxed);
            self.say_up("its checks succeed");
        }
    }

    /// `seconds`: for how long it is left alone, where that is known.
    fn say_down(&self, why: &str, seconds: Option<u64>) {
        let (service, server) = (&*self.service, &*self.name);
        tracing::warn!(event = "server_down", service, server, why, seconds);
    }

    fn say_up(&self, why: &str) {
        let (service, server) = (&*self.service, &*self.name);
        tracing::info!(event = "server_up", service, server, why);
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rests {
    /// Starts another ejection and gives its duration; `None` while one lasts.
    fn next(&mut self, now: Moment) -> Option<Duration> {
        if self.until > now {
            return None;
        }
        let in_a_row = self.until != 0 && now - self.until < to_moment(LONGEST_REST);
        self.before = if in_a_row { self.before + 1 } else { 0 };
        let rest = rest_of(self.before);
        (self.until, self.resting) = (now + to_moment(rest), true);
        Some(rest)
    }
}

impl Drop for ServerLoad {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Relaxed);
    }
}

/// The share of a server that is back for so many milliseconds.
fn share(back_for: u64) -> f64 {
    let part = Duration::from_millis(back_for).as_secs_f64() / SLOW_RETURN.as_secs_f64();
    part.clamp(FIRST_SHARE, 1.0)
}

fn rest_of(before: u32) -> Duration {
    FIRST_REST
        .saturating_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX))
        .min(LONGEST_REST)
}

#[cfg(test)]
mod tests;
