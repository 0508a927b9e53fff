//! The audit stream: who logged in, what was denied, what was changed. No record is ever dropped.
//!
//! A thread of its own writes. The queue before it has a bound for what clients cause; where it is full, a request waits
//! until there is a place, and is not decided before: a sink that takes nothing stops the gateway rather than blind it.
//! A place is reserved right before a decision, and kept over no wait for a client.

mod queue;
mod record;
mod sink;
mod writer;

pub use queue::{AuditCounts, AuditReservation};
pub use record::{AuditOutcome, AuditRecord};
pub use sink::AuditSink;

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use self::queue::AuditQueue;
use self::writer::AuditWriter;

/// The audit stream of the process.
#[derive(Debug)]
pub struct Audit {
    queue: Arc<AuditQueue>,
    /// Ends when the writer has ended.
    ended: Mutex<Receiver<()>>,
}

impl Audit {
    /// Opens the sink, and starts the thread that writes to it.
    ///
    /// # Errors
    /// Where the sink cannot be opened: without a record of what it does the gateway does not start.
    pub fn start(sink: &AuditSink) -> io::Result<Arc<Self>> {
        let out = sink.open()?;
        let queue = Arc::new(AuditQueue::new());
        let (alive, ended) = channel();
        let mut writer = AuditWriter::new(Arc::clone(&queue), sink.clone(), out);
        let run = move || {
            writer.run();
            drop(alive);
        };
        thread::Builder::new().name("audit".to_owned()).spawn(run)?;
        Ok(Arc::new(Self {
            queue,
            ended: Mutex::new(ended),
        }))
    }

    /// Reserves a place for one record; `None` where the queue is full.
    pub fn try_reserve(self: &Arc<Self>) -> Option<AuditReservation> {
        self.queue.try_reserve()
    }

    /// Waits until there is a place for one record, and reserves it.
    pub async fn reserve(self: Arc<Self>) -> AuditReservation {
        AuditQueue::reserve(&self.queue).await
    }

    /// Writes a record that cannot wait for a place, such as one of a change by an operator: it goes beyond the bound of
    /// the queue, which is for what clients cause.
    pub fn write(&self, record: &AuditRecord) {
        self.queue.push(record);
    }

    /// Opens the file anew before the next record, for one that was renamed.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// How many records there were, and how writing them goes. A copy is a handle to the same.
    pub fn counts(&self) -> AuditCounts {
        self.queue.counts.clone()
    }

    /// Writes what is there and ends the writer, at most so late. What is not written by then is lost, and an event says
    /// how much that is.
    pub fn close(&self, limit: Duration) {
        self.queue.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // nothing is ever sent: it returns when the writer is gone, or when waiting is over
        let _ = ended.recv_timeout(limit);
        let lost = self.queue.counts.queued();
        if lost > 0 {
            tracing::error!(
                event = "audit_records_lost",
                records = lost,
                "the audit stream could not be written to its end"
            );
        }
    }
}
