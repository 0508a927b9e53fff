//! The thread that writes.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::shard::{LogBuffers, lock};

/// How long lines are collected before they are written: short enough to follow the log live.
const QUIET_INTERVAL: Duration = Duration::from_millis(10);

/// The same under load, where one wake-up serves more lines.
const BUSY_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes in one interval that are many: about twenty lines.
const BUSY: usize = 8 * 1024;

/// How long to wait for a full pipe that does not block.
const RETRY: Duration = Duration::from_millis(5);

/// The capacity that a buffer keeps after a burst.
const KEPT_CAPACITY: usize = 1 << 20;

pub(super) struct LogWriter {
    shared: Arc<LogBuffers>,
    out: Box<dyn Write + Send>,
    /// Changes places with the buffer of a worker, so that the worker's lock is held for a moment only.
    spare: Vec<u8>,
    state: State,
    /// How long lines pile up next time.
    interval: Duration,
}

/// Whether the last write went well, so that one event is enough for a reader that stays away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Writing,
    Failing,
}

/// Which flush it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Further,
    Last,
}

impl LogWriter {
    pub(super) fn new(shared: Arc<LogBuffers>, out: Box<dyn Write + Send>) -> Self {
        Self {
            shared,
            out,
            spare: Vec::new(),
            state: State::Writing,
            interval: QUIET_INTERVAL,
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            self.shared.await_lines();
            self.shared.pause(self.interval);
            let flush = if self.shared.is_closing() {
                Flush::Last
            } else {
                Flush::Further
            };
            self.shared.rearm();
            self.flush(flush);
            if flush == Flush::Last {
                return;
            }
        }
    }

    fn flush(&mut self, flush: Flush) {
        let mut bytes = 0;
        for buffer in self.shared.buffers() {
            let mut buffer = lock(&buffer);
            mem::swap(&mut buffer.lines, &mut self.spare);
            if flush == Flush::Last {
                buffer.close();
            }
            drop(buffer);
            bytes += self.spare.len();
            self.write();
        }
        self.interval = if bytes < BUSY {
            QUIET_INTERVAL
        } else {
            BUSY_INTERVAL
        };
    }

    /// Writes and empties the spare buffer.
    fn write(&mut self) {
        if self.spare.is_empty() {
            return;
        }
        match write_all(&mut *self.out, &self.spare) {
            Ok(()) => self.state = State::Writing,
            Err(failure) => self.give_up(&failure),
        }
        self.spare.clear();
        self.spare.shrink_to(KEPT_CAPACITY);
    }

    fn give_up(&mut self, failure: &Failure) {
        let lost = self.spare[failure.written..]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.shared.dropped.add(lost as u64);
        if mem::replace(&mut self.state, State::Failing) == State::Writing {
            tracing::warn!(error = %failure.error, "cannot write the access log; lines are dropped and counted");
        }
    }
}

struct Failure {
    written: usize,
    error: io::Error,
}

/// Like [`Write::write_all`], but patient with a full pipe that somebody made non-blocking, and it says how far it got.
fn write_all(out: &mut dyn Write, bytes: &[u8]) -> Result<(), Failure> {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => {
                return Err(Failure {
                    written,
                    error: ErrorKind::WriteZero.into(),
                });
            }
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::park_timeout(RETRY),
            Err(error) => return Err(Failure { written, error }),
        }
    }
    out.flush().map_err(|error| Failure { written, error })
}
