//! The thread that writes.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::{AuditQueue, Batch};
use super::sink::{AuditSink, Out};
use crate::ambient;

/// How long a sink that takes nothing is left alone.
const RETRY: Duration = Duration::from_millis(500);

/// How often the file is synchronised: the records that a loss of power can cost.
const SYNC: Duration = Duration::from_secs(1);

pub(super) struct AuditWriter {
    queue: Arc<AuditQueue>,
    sink: AuditSink,
    out: Out,
    synced: Instant,
}

impl AuditWriter {
    pub(super) fn new(queue: Arc<AuditQueue>, sink: AuditSink, out: Out) -> Self {
        Self {
            queue,
            sink,
            out,
            synced: ambient::now(),
        }
    }

    pub(super) fn run(&mut self) {
        while let Some(batch) = self.queue.take() {
            if batch.reopen || self.sink.has_moved(&self.out) {
                self.reopen();
            }
            self.write(&batch);
            self.queue.counts.write(batch.records);
            // only now others may come
            drop(batch.permits);
            self.sync();
        }
        self.out.sync();
    }

    /// Writes all of it, however often that takes.
    fn write(&mut self, batch: &Batch) {
        let mut rest = &batch.lines[..];
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => self.fail(&ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fail(&error);
                    if self.sink.has_moved(&self.out) {
                        self.reopen();
                        // a line that is half in the old file is whole in the new one
                        rest = from_line(&batch.lines, rest.len());
                    }
                }
            }
        }
    }

    fn fail(&self, error: &io::Error) {
        if self.queue.counts.fail() {
            tracing::error!(event = "audit_write_failed", %error, "the audit stream cannot be written: it is tried again");
        }
        self.queue.pause(RETRY);
        // at the end of the process, busy waiting would be all that is left
        if self.queue.is_closed() {
            std::thread::park_timeout(RETRY);
        }
    }

    /// Where the new file cannot be opened, the old one goes on.
    fn reopen(&mut self) {
        match self.sink.open() {
            Ok(out) => {
                self.out.sync();
                self.out = out;
            }
            Err(error) => {
                tracing::error!(event = "audit_write_failed", %error, "the audit file cannot be opened anew: the former one goes on");
            }
        }
    }

    fn sync(&mut self) {
        let now = ambient::now();
        if now.duration_since(self.synced) >= SYNC {
            self.out.sync();
            self.synced = now;
        }
    }
}

/// The rest with the beginning of its first line.
fn from_line(lines: &[u8], left: usize) -> &[u8] {
    let done = &lines[..lines.len() - left];
    let start = done
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    &lines[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_line_is_written_again_from_its_start() {
        let lines = b"one\ntwo\n";
        for (left, rest) in [
            (8, "one\ntwo\n"),
            (6, "one\ntwo\n"),
            (4, "two\n"),
            (1, "two\n"),
        ] {
            assert_eq!(from_line(lines, left), rest.as_bytes(), "{left}");
        }
    }
}
