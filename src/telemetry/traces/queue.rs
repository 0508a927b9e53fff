//! The bounded queue of spans between the workers and the exporter; a full queue drops spans and makes no worker wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;

/// Spans that wait; each takes about 2 KiB.
const LIMIT: usize = 4096;

/// Spans that are sent at once, and how long fewer are waited with.
const BATCH: usize = 512;
const INTERVAL: Duration = Duration::from_secs(1);

/// How many spans a collector has taken, and how many none has. A copy is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct SpanCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl SpanCounts {
    /// Taken by a collector since the start.
    pub fn exported(&self) -> u64 {
        self.0.exported.load(Ordering::Relaxed)
    }

    /// Not taken: the queue was full, or the collector was away, slow or refused them.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn export(&self, spans: usize) {
        self.0.exported.fetch_add(spans as u64, Ordering::Relaxed);
    }

    pub(super) fn drop(&self, spans: usize) {
        self.0.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }
}

/// The state that the workers and the exporter share.
#[derive(Debug)]
pub(super) struct SpanQueue {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) counts: SpanCounts,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<SpanData>,
    closed: bool,
}

impl SpanQueue {
    pub(super) fn new(counts: SpanCounts) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            counts,
        }
    }

    /// Adds the spans of one request; those that do not fit are dropped and counted.
    pub(super) fn push(&self, spans: impl ExactSizeIterator<Item = SpanData>) {
        let mut state = self.lock();
        if state.closed || state.spans.len() + spans.len() > LIMIT {
            drop(state);
            return self.counts.drop(spans.len());
        }
        let before = state.spans.len();
        state.spans.extend(spans);
        let after = state.spans.len();
        drop(state);
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.changed.notify_one();
        }
    }

    /// Refuses further spans; the exporter ends when it has sent what is there.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The next spans to send, soon after the first of them came; `None` once all are sent and no more will come.
    pub(super) fn take(&self) -> Option<Vec<SpanData>> {
        let empty = |state: &mut State| state.spans.is_empty() && !state.closed;
        let state = self
            .changed
            .wait_while(self.lock(), empty)
            .unwrap_or_else(PoisonError::into_inner);
        let few = |state: &mut State| state.spans.len() < BATCH && !state.closed;
        let waited = self.changed.wait_timeout_while(state, INTERVAL, few);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let count = state.spans.len().min(BATCH);
        let batch: Vec<SpanData> = state.spans.drain(..count).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Gives up on everything that waits.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        self.counts.drop(state.spans.len());
        state.spans.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
