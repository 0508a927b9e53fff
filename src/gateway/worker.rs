//! One worker's own part of the gateway: nothing in here is shared with another thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use super::snapshot::{Shared, Snapshot};
use crate::ambient::{self, Ticker};
use crate::telemetry::access_log::LogShard;
use crate::telemetry::metrics::{Metrics, ServiceMetrics, Shard, UpstreamConnection};
use crate::token::TokenCache;
use crate::upstream::{ConnectionCounts, Connector, Pool, Settings};

/// Tokens that a worker remembers as verified; about 60 bytes each, and the token.
const CACHED_TOKENS: usize = 4096;

/// What a worker is made of.
pub struct WorkerParts {
    /// The snapshot in force.
    pub shared: Arc<Shared>,
    /// The worker's deadlines.
    pub ticker: Ticker,
    /// Counters of the whole process.
    pub metrics: Arc<Metrics>,
    /// The worker's counters.
    pub shard: Shard,
    /// The worker's end of the access log.
    pub log: LogShard,
    /// Makes request ids of this worker unlike those of every other.
    pub id_seed: [u8; 8],
}

/// A worker thread's state.
pub struct Worker {
    shared: Arc<Shared>,
    pinned: RefCell<Rc<Pinned>>,
    connector: Rc<Connector>,
    counts: Rc<ConnectionCounts>,
    pub(super) ticker: Ticker,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shard: Shard,
    pub(super) log: LogShard,
    id_prefix: u64,
    id_counter: Cell<u64>,
    ended: Cell<bool>,
}

/// A snapshot with this worker's pools and counters for it.
pub(super) struct Pinned {
    generation: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) lanes: Vec<Lane>,
    pub(super) unrouted: ServiceMetrics,
    pub(super) portal: ServiceMetrics,
    /// Goes with the snapshot: a reload forgets every token.
    pub(super) tokens: RefCell<TokenCache>,
    /// The same for sessions of browsers: what holds as one does not hold as the other.
    pub(super) sessions: RefCell<TokenCache>,
}

/// What a worker keeps for one service.
pub(super) struct Lane {
    pub(super) pool: Rc<Pool>,
    pub(super) metrics: ServiceMetrics,
}

impl Worker {
    /// A worker for the snapshot in force.
    pub fn new(parts: WorkerParts) -> Self {
        let connector = Rc::new(Connector::default());
        let counts = Rc::new(ConnectionCounts {
            idle: parts.shard.upstream_connections(UpstreamConnection::Idle),
            active: parts.shard.upstream_connections(UpstreamConnection::Active),
        });
        let make = |settings: &Settings| {
            Pool::new(settings.clone(), Rc::clone(&connector), parts.ticker.clone(), Rc::clone(&counts))
        };
        let generation = parts.shared.generation();
        let pinned = Pinned::new(generation, parts.shared.current(), &parts.shard, make);
        Self {
            shared: parts.shared,
            pinned: RefCell::new(Rc::new(pinned)),
            connector,
            counts,
            ticker: parts.ticker,
            metrics: parts.metrics,
            shard: parts.shard,
            log: parts.log,
            id_prefix: u64::from_le_bytes(parts.id_seed),
            id_counter: Cell::new(0),
            ended: Cell::new(false),
        }
    }

    /// The snapshot for one whole request.
    pub(super) fn pin(&self) -> Rc<Pinned> {
        // the generation is read first: a snapshot that is newer than it says is only looked at once more
        let generation = self.shared.generation();
        if self.pinned.borrow().generation != generation {
            self.renew(generation);
        }
        Rc::clone(&self.pinned.borrow())
    }

    /// The snapshot in force, for a new connection.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.pin().snapshot)
    }

    /// Takes each new snapshot as soon as it is in force, so that a worker without requests lets go of the old one:
    /// of its users, and of the connections to upstreams that are no longer asked.
    pub async fn follow_reloads(self: Rc<Self>) {
        let mut changes = self.shared.changes();
        while changes.changed().await.is_ok() {
            self.pin();
        }
    }

    /// Says that requests which are not over now are cut off by the gateway's own end.
    pub fn end(&self) {
        self.ended.set(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// The worker's counters.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    fn renew(&self, generation: u64) {
        let old = Rc::clone(&self.pinned.borrow());
        let keep_or_make = |settings: &Settings| match old.lanes.iter().find(|lane| lane.pool.serves(settings)) {
            Some(lane) => Rc::clone(&lane.pool),
            None => {
                let (connector, counts) = (Rc::clone(&self.connector), Rc::clone(&self.counts));
                Pool::new(settings.clone(), connector, self.ticker.clone(), counts)
            }
        };
        let pinned = Pinned::new(generation, self.shared.current(), &self.shard, keep_or_make);
        *self.pinned.borrow_mut() = Rc::new(pinned);
    }

    /// A request id that no other request of this or another worker has: 32 hexadecimal digits.
    pub(super) fn next_request_id(&self) -> HeaderValue {
        let count = self.id_counter.get();
        self.id_counter.set(count.wrapping_add(1));
        let mut id = [0; 32];
        write_hex(self.id_prefix, &mut id[..16]);
        write_hex(count, &mut id[16..]);
        HeaderValue::from_bytes(&id).expect("hexadecimal digits are visible ASCII")
    }
}

impl Pinned {
    fn new(generation: u64, snapshot: Arc<Snapshot>, shard: &Shard, pool: impl Fn(&Settings) -> Rc<Pool>) -> Self {
        let lanes = snapshot.services.iter().map(|service| {
            let rules: Vec<&str> = service.policy.rules().iter().map(|rule| &*rule.name).collect();
            Lane { pool: pool(&service.forwarding.upstream), metrics: shard.service(&service.name, &rules) }
        });
        let lanes = lanes.collect();
        let cache = || RefCell::new(TokenCache::new(CACHED_TOKENS, ambient::hash_state()));
        let (tokens, sessions) = (cache(), cache());
        Self { generation, lanes, unrouted: shard.unrouted(), portal: shard.portal(), tokens, sessions, snapshot }
    }
}

/// Writes a number as lower-case hexadecimal digits, one a byte of `out`.
fn write_hex(number: u64, out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, shift) in out.iter_mut().rev().zip((0..).step_by(4)) {
        *byte = DIGITS[usize::from((number >> shift) as u8 & 0xf)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_with_all_its_digits() {
        let mut out = [0; 16];
        write_hex(0x0123_4567_89ab_cdef, &mut out);
        assert_eq!(&out, b"0123456789abcdef");
    }
}
