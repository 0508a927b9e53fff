//! One line for each request, written by a thread of its own.
//!
//! Workers format into buffers that are theirs; the writer collects them every few milliseconds. Nobody waits for it:
//! where it cannot keep up, lines are dropped and counted.

mod escape;
mod line;
mod shard;
mod stamp;
mod writer;

pub(super) use escape::{quoted, word};
pub use line::{Aborted, AccessLine};
pub use shard::{Dropped, LogShard};
pub(super) use stamp::Stamp;

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use self::shard::LogBuffers;
use self::writer::LogWriter;
use super::LineFormat;

/// How long closing waits for a reader that does not read.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The access log of the process. Dropping it is the same as closing it.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<LogBuffers>,
    /// Ends when the writer has ended.
    ended: Mutex<Receiver<()>>,
}

impl AccessLog {
    /// Starts the writer thread. A write error costs the lines it hits and nothing else.
    ///
    /// # Panics
    /// Where the system gives no further thread, which at the start is the end anyway.
    pub fn start(format: LineFormat, out: Box<dyn Write + Send>) -> Self {
        let shared = Arc::new(LogBuffers::new(format));
        let (alive, ended) = channel();
        let mut writer = LogWriter::new(Arc::clone(&shared), out);
        let run = move || {
            writer.run();
            drop(alive);
        };
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(run)
            .expect("a thread for the access log");
        Self {
            shared,
            ended: Mutex::new(ended),
        }
    }

    /// A buffer for one worker.
    pub fn shard(&self) -> LogShard {
        LogShard::register(&self.shared)
    }

    /// How many lines were not written, now and later.
    pub fn dropped(&self) -> Dropped {
        self.shared.dropped.clone()
    }

    /// Writes what is there and ends the writer; gives up after 5 s where the reader does not read. Lines that come afterwards
    /// count as dropped.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.shared.close();
        let ended = self
            .ended
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // nothing is ever sent: it returns when the writer is gone, or when waiting is over
        let _ = ended.recv_timeout(CLOSE_TIMEOUT);
    }
}

#[cfg(test)]
mod tests;
