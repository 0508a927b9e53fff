//! The buffers between the workers and the writer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::line::{self, AccessLine};
use super::stamp::Stamp;
use crate::telemetry::LineFormat;

/// Bytes that a worker may be ahead of the writer.
const BUFFER_LIMIT: usize = 8 << 20;

/// Bytes that are written without waiting for more: few enough that a buffer stays in the processor's cache, enough that
/// waking the writer, which costs 25 µs on a virtual machine, is shared by hundreds of requests.
const BATCH: usize = 128 << 10;

/// How many lines were dropped: the writer could not keep up, writing failed, or the log was closed.
#[derive(Clone, Debug, Default)]
pub struct Dropped(Arc<AtomicU64>);

impl Dropped {
    /// Lines since the start.
    pub fn lines(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, lines: u64) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }
}

/// One worker's way into the log.
#[derive(Debug)]
pub struct LogShard {
    buffer: Arc<Mutex<Buffer>>,
    shared: Arc<LogBuffers>,
}

/// Lines that are not yet written.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) lines: Vec<u8>,
    stamp: Stamp,
    /// Set when the writer has taken this buffer for the last time.
    closed: bool,
}

/// The state that the workers and the writer share.
#[derive(Debug)]
pub(super) struct LogBuffers {
    format: LineFormat,
    buffers: Mutex<Vec<Arc<Mutex<Buffer>>>>,
    signal: Mutex<Signal>,
    changed: Condvar,
    pub(super) dropped: Dropped,
}

/// What the writer is waiting for.
#[derive(Debug, Default)]
struct Signal {
    lines: bool,
    /// One of the buffers has a full batch.
    full: bool,
    closing: bool,
}

impl LogShard {
    pub(super) fn register(shared: &Arc<LogBuffers>) -> Self {
        let mut buffers = lock(&shared.buffers);
        // asked under the lock of the list: whoever is listed too late for the last flush knows that it is over
        let closed = shared.is_closing();
        let buffer = Arc::new(Mutex::new(Buffer {
            lines: Vec::new(),
            stamp: Stamp::default(),
            closed,
        }));
        buffers.push(Arc::clone(&buffer));
        Self {
            buffer,
            shared: Arc::clone(shared),
        }
    }

    /// Adds one line. It never waits for the writer and, once the buffer has grown, allocates nothing. A line that
    /// does not fit into the 8 MiB that a worker may be ahead is dropped and counted.
    pub fn write(&self, line: &AccessLine<'_>) {
        let mut buffer = lock(&self.buffer);
        let Buffer {
            lines,
            stamp,
            closed,
        } = &mut *buffer;
        if *closed || lines.len() >= BUFFER_LIMIT {
            self.shared.dropped.add(1);
            return;
        }
        let before = lines.len();
        line::format(lines, line, self.shared.format, stamp.of(line.time));
        let after = lines.len();
        drop(buffer);
        if before == 0 {
            self.shared.wake();
        }
        if before < BATCH && after >= BATCH {
            self.shared.hurry();
        }
    }
}

impl LogBuffers {
    pub(super) fn new(format: LineFormat) -> Self {
        Self {
            format,
            buffers: Mutex::default(),
            signal: Mutex::default(),
            changed: Condvar::new(),
            dropped: Dropped::default(),
        }
    }

    /// Tells the writer that a buffer is no longer empty.
    fn wake(&self) {
        let mut signal = lock(&self.signal);
        if !signal.lines {
            signal.lines = true;
            self.changed.notify_one();
        }
    }

    /// Tells the writer that a buffer has a batch.
    fn hurry(&self) {
        lock(&self.signal).full = true;
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        lock(&self.signal).closing = true;
        self.changed.notify_one();
    }

    /// Sleeps until a buffer has lines, or the log is closed.
    pub(super) fn await_lines(&self) {
        let idle = |signal: &mut Signal| !signal.lines && !signal.closing;
        drop(
            self.changed
                .wait_while(lock(&self.signal), idle)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Lets lines pile up for a while, less where there is a batch of them or the log is closed.
    pub(super) fn pause(&self, duration: Duration) {
        let patient = |signal: &mut Signal| !signal.closing && !signal.full;
        let waited = self
            .changed
            .wait_timeout_while(lock(&self.signal), duration, patient);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// From here on the first line of a batch wakes the writer again; it must look into all buffers afterwards.
    pub(super) fn rearm(&self) {
        let mut signal = lock(&self.signal);
        signal.lines = false;
        signal.full = false;
    }

    pub(super) fn is_closing(&self) -> bool {
        lock(&self.signal).closing
    }

    /// The buffers that there are now. One whose worker is gone is listed for the last time.
    pub(super) fn buffers(&self) -> Vec<Arc<Mutex<Buffer>>> {
        let mut buffers = lock(&self.buffers);
        let listed = buffers.clone();
        buffers.retain(|buffer| Arc::strong_count(buffer) > 2);
        listed
    }
}

impl Buffer {
    /// Refuses further lines.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
