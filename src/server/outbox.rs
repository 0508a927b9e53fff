//! Interim answers between what hyper writes: never inside of an answer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::wire::Interim;

/// What a connection and its requests know about interim answers.
pub(super) struct Outbox {
    interim: Arc<Interim>,
    /// hyper has written everything it had: what comes next is the begin of an answer, or of a piece of a body.
    flushed: Cell<bool>,
}

/// The interim answer that is being written.
#[derive(Default)]
pub(super) struct Writing {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            interim: Arc::default(),
            flushed: Cell::new(true),
        }
    }

    /// Where interim answers are put.
    pub(super) fn interim(&self) -> &Arc<Interim> {
        &self.interim
    }

    /// Whether there is anything to do before hyper's next bytes.
    pub(super) fn is_waiting(&self) -> bool {
        self.interim.is_waiting()
    }

    /// hyper has written some bytes, of how many is not known.
    pub(super) fn note_written(&self) {
        self.flushed.set(false);
    }

    /// hyper has written all bytes it had.
    pub(super) fn note_flushed(&self) {
        self.flushed.set(true);
    }

    /// Whether hyper has nothing to write.
    pub(super) fn is_flushed(&self) -> bool {
        self.flushed.get()
    }

    /// The final answer of a request begins. An interim answer that could not be written until now, because the client
    /// has not taken the answer before, would come too late: after, or in the middle of, the final one.
    pub(super) fn close(&self) {
        if self.is_waiting() && !self.flushed.get() {
            self.interim.take();
        }
    }

    /// Writes what waits, unless part of an answer is written already.
    pub(super) fn poll_write(
        &self,
        writing: &mut Writing,
        mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while writing.written < writing.bytes.len() {
                let piece = &writing.bytes[writing.written..];
                match ready!(stream.as_mut().poll_write(cx, piece))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => writing.written += count,
                }
            }
            *writing = Writing::default();
            if self.interim.finish() || !self.flushed.get() {
                return Poll::Ready(Ok(()));
            }
            writing.bytes = self.interim.take();
        }
    }
}
