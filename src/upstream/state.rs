//! The state of one server, shared by the whole process: atomics that workers read and add to.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::origin::Origin;
use crate::ambient;

/// Failures in a row after which a server is out for a while.
const FAILURES: u32 = 5;

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
    /// Requests under way, where they are counted.
    load: AtomicUsize,
    rests: Mutex<Rests>,
}

/// How often a server was out for failing.
#[derive(Debug, Default)]
struct Rests {
    /// In a row, the present one left out.
    before: u32,
    /// The end of the last one; 0: there was none.
    until: Moment,
    /// Whether its return is still to be announced.
    resting: bool,
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
        match self.back_at.load(Relaxed) {
            0 => ServerCondition::Serving(1.0),
            back if back > now => ServerCondition::Resting,
            back => ServerCondition::Serving(share(now - back)),
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

    pub(super) fn note_success(&self) {
        // hardly ever written: the line stays in every worker's cache
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// Whether it has failed so often that it should rest.
    pub(super) fn note_failure(&self, now: Moment) -> bool {
        // requests that were in flight at its ejection are no new failures
        let resting = self.back_at.load(Relaxed) > now;
        !resting && self.failures.fetch_add(1, Relaxed) + 1 >= FAILURES
    }

    /// Takes it out for a while.
    pub(super) fn rest(&self, why: &str) {
        let now = self.now();
        let Some(rest) = self.rests().next(now) else {
            return;
        };
        self.failures.store(0, Relaxed);
        self.back_at.store(now + to_moment(rest), Relaxed);
        let (service, server) = (&*self.service, &*self.name);
        tracing::warn!(
            event = "server_down",
            service,
            server,
            why,
            seconds = rest.as_secs()
        );
    }

    /// When its return is to be announced, if it rests.
    pub(super) fn returns_at(&self) -> Option<Moment> {
        self.rests().resting.then(|| self.back_at.load(Relaxed))
    }

    /// Says that it is back, once.
    pub(super) fn announce_return(&self) {
        if std::mem::take(&mut self.rests().resting) {
            self.say_up("its rest is over");
        }
    }

    /// What the checks have come to.
    pub(super) fn set_unhealthy(&self, why: &str) {
        if self.healthy.swap(false, Relaxed) {
            let (service, server) = (&*self.service, &*self.name);
            tracing::warn!(event = "server_down", service, server, why);
        }
    }

    /// What the checks have come to. It returns slowly.
    pub(super) fn set_healthy(&self) {
        if !self.is_healthy() {
            self.failures.store(0, Relaxed);
            self.back_at.fetch_max(self.now(), Relaxed);
            self.healthy.store(true, Relaxed);
            self.say_up("its checks succeed");
        }
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
