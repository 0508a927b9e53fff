//! How fast a connection to a server goes, shared by its socket and what is sent over it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The state of a connection that its socket and its exchange share. Upgrades want it shared between threads.
#[derive(Debug)]
pub(super) struct Flow {
    /// How much of the present answer is read at once, in bytes.
    piece: AtomicUsize,
    /// Whether the server does not take what was written last.
    blocked: AtomicBool,
    /// Whether anything of the present request was written.
    begun: AtomicBool,
    /// Whether all of it that was written has left.
    flushed: AtomicBool,
    /// Whether nothing of its answer was read.
    answer_due: AtomicBool,
    /// Whether all that has come was read, and ends with a chunk of a body.
    between_chunks: AtomicBool,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            piece: AtomicUsize::new(usize::MAX),
            blocked: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            flushed: AtomicBool::new(false),
            answer_due: AtomicBool::new(false),
            between_chunks: AtomicBool::new(false),
        }
    }
}

impl Flow {
    pub(super) fn piece(&self) -> usize {
        self.piece.load(Relaxed)
    }

    pub(super) fn set_piece(&self, bytes: usize) {
        self.piece.store(bytes, Relaxed);
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.begun.store(false, Relaxed);
        self.answer_due.store(true, Relaxed);
    }

    /// Whether what was read is the first of an answer.
    pub(super) fn take_answer_due(&self) -> bool {
        self.answer_due.swap(false, Relaxed)
    }

    /// Whether all that has come was read, and ends with a chunk, or with a head.
    pub(super) fn is_between_chunks(&self) -> bool {
        self.between_chunks.load(Relaxed)
    }

    pub(super) fn set_between_chunks(&self, between: bool) {
        self.between_chunks.store(between, Relaxed);
    }

    pub(super) fn note_written(&self) {
        self.begun.store(true, Relaxed);
        self.flushed.store(false, Relaxed);
    }

    pub(super) fn note_flushed(&self) {
        self.flushed.store(true, Relaxed);
    }

    /// Whether something of the present request was written, and nothing waits to be.
    pub(super) fn is_flushed(&self) -> bool {
        self.begun.load(Relaxed) && self.flushed.load(Relaxed)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }
}
