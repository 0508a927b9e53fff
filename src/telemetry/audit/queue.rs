//! Records that are not yet written: those that clients cause never exceed a bound.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::record::AuditRecord;
use crate::telemetry::access_log::Stamp;

/// Records of requests that may wait to be written, and requests being decided that may yet make one. A record has about
/// 400 bytes, and at most a few KiB.
const PLACES: usize = 8192;

/// How many records there were. A copy is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct AuditCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    records: AtomicU64,
    written: AtomicU64,
    errors: AtomicU64,
    failing: AtomicBool,
}

impl AuditCounts {
    /// Since the start.
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Not yet written.
    pub fn queued(&self) -> u64 {
        self.records()
            .saturating_sub(self.0.written.load(Ordering::Relaxed))
    }

    /// Failed attempts to write.
    pub fn errors(&self) -> u64 {
        self.0.errors.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write failed.
    pub fn is_failing(&self) -> bool {
        self.0.failing.load(Ordering::Relaxed)
    }

    pub(super) fn write(&self, records: usize) {
        self.0.failing.store(false, Ordering::Relaxed);
        self.0.written.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Says whether this is the first failure after a success.
    pub(super) fn fail(&self) -> bool {
        self.0.errors.fetch_add(1, Ordering::Relaxed);
        !self.0.failing.swap(true, Ordering::Relaxed)
    }
}

/// A place in the queue. Dropped without a record, it is given back.
#[derive(Debug)]
pub struct AuditReservation {
    queue: Arc<AuditQueue>,
    /// `None` where the stream is closed, so that no place needs to be given back.
    permit: Option<OwnedSemaphorePermit>,
}

impl AuditReservation {
    /// Puts a record into the place.
    pub fn write(self, record: &AuditRecord) {
        let Self { queue, permit } = self;
        queue.add(record, permit);
    }
}

/// The state that the producers of records and the writer share.
#[derive(Debug)]
pub(super) struct AuditQueue {
    state: Mutex<State>,
    changed: Condvar,
    places: Arc<Semaphore>,
    pub(super) counts: AuditCounts,
}

/// Lines in the order of their numbers.
#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    records: usize,
    /// Places of the lines that took one.
    permits: Vec<OwnedSemaphorePermit>,
    stamp: Stamp,
    sequence: u64,
    reopen: bool,
    closed: bool,
}

/// What is to be written next.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<u8>,
    pub(super) records: usize,
    /// Whether the file is to be opened anew first.
    pub(super) reopen: bool,
    /// Given back when the lines are written.
    pub(super) permits: Vec<OwnedSemaphorePermit>,
}

impl AuditQueue {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            places: Arc::new(Semaphore::new(PLACES)),
            counts: AuditCounts::default(),
        }
    }

    pub(super) fn try_reserve(self: &Arc<Self>) -> Option<AuditReservation> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(AuditReservation {
            queue: Arc::clone(self),
            permit: Some(permit),
        })
    }

    pub(super) async fn reserve(self: &Arc<Self>) -> AuditReservation {
        // it fails only where the stream is closed
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        AuditReservation {
            queue: Arc::clone(self),
            permit,
        }
    }

    pub(super) fn push(&self, record: &AuditRecord) {
        self.add(record, None);
    }

    fn add(&self, record: &AuditRecord, permit: Option<OwnedSemaphorePermit>) {
        let mut state = self.lock();
        let State {
            lines,
            records,
            permits,
            stamp,
            sequence,
            ..
        } = &mut *state;
        *sequence += 1;
        record.write(*sequence, stamp, lines);
        *records += 1;
        permits.extend(permit);
        let first = *records == 1;
        self.counts.0.records.fetch_add(1, Ordering::Relaxed);
        drop(state);
        if first {
            self.changed.notify_all();
        }
    }

    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.changed.notify_all();
    }

    /// Ends the writer when everything is written, and every wait for a place at once.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.places.close();
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for something to do; `None` when everything is written and no more will come.
    pub(super) fn take(&self) -> Option<Batch> {
        let idle = |state: &mut State| state.records == 0 && !state.reopen && !state.closed;
        let mut state = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        if state.records == 0 && !state.reopen {
            return None;
        }
        Some(Batch {
            lines: std::mem::take(&mut state.lines),
            records: std::mem::take(&mut state.records),
            reopen: std::mem::take(&mut state.reopen),
            permits: std::mem::take(&mut state.permits),
        })
    }

    /// Waits a while, less where the stream is closed or the file shall be opened anew.
    pub(super) fn pause(&self, duration: Duration) {
        let patient = |state: &mut State| !state.closed && !state.reopen;
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), duration, patient);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
