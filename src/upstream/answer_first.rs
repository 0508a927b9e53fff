//! A connection that is read to its end, however writing to it ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flow::Flow;
use crate::ambient;
use crate::net::DialedStream;

/// A server may answer before it has read the request, and close: writing fails then, while the answer is there to be read
/// (RFC 9112, section 9.5). hyper gives up at the first failure, so that it hears of none here: what can no longer be
/// written is thrown away, and the reading side says how the connection ended.
#[derive(Debug)]
pub(super) struct AnswerFirst {
    stream: DialedStream,
    /// Whether nothing can be written any more.
    deaf: bool,
    flow: Arc<Flow>,
    /// The most that is ever read at once, in bytes.
    most: usize,
    pace: Pace,
}

/// How fast a limited answer is taken.
#[derive(Debug)]
struct Pace {
    /// Bytes of the present stretch.
    read: usize,
    began: Instant,
    /// Whether the last stretch was taken fast: small pieces would cost more than they save.
    fast: bool,
}

/// Bytes of a stretch, and how long a fast one takes at most.
const STRETCH: usize = 1 << 20;
const FAST: Duration = Duration::from_millis(250);

/// How much of an answer is read at once for a client of HTTP/2, in bytes: as much as a frame of its answer holds. What is
/// read and not taken yet waits in memory, for each of its streams.
///
/// One byte less than the power of two: hyper takes a full buffer for a reason to double the next one.
pub(super) const PIECE: usize = (16 << 10) - 1;

impl AnswerFirst {
    pub(super) fn new(stream: DialedStream, flow: Arc<Flow>, most: usize) -> Self {
        Self {
            stream,
            deaf: false,
            flow,
            most,
            pace: Pace {
                read: 0,
                began: ambient::now(),
                fast: false,
            },
        }
    }

    fn write<T>(
        &mut self,
        taken: T,
        write: impl FnOnce(Pin<&mut DialedStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if !self.deaf {
            let written = write(Pin::new(&mut self.stream));
            self.deaf = matches!(written, Poll::Ready(Err(_)));
            self.flow.set_blocked(written.is_pending());
            if !self.deaf {
                return written;
            }
        }
        Poll::Ready(Ok(taken))
    }
}

impl Pace {
    fn note(&mut self, read: usize) {
        self.read += read;
        if self.read >= STRETCH {
            let now = ambient::now();
            self.fast = now.duration_since(self.began) <= FAST;
            (self.read, self.began) = (0, now);
        }
    }
}

impl AsyncRead for AnswerFirst {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        let piece = if this.pace.fast {
            this.most
        } else {
            this.flow.piece().min(this.most)
        };
        let before = buffer.filled().len();
        let polled = if buffer.remaining() <= piece {
            stream.poll_read(cx, buffer)
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(piece));
            let polled = stream.poll_read(cx, &mut part);
            let read = part.filled().len();
            buffer.advance(read);
            polled
        };
        this.pace.note(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for AnswerFirst {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .write(bytes.len(), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = pieces.iter().map(|piece| piece.len()).sum();
        self.get_mut()
            .write(all, |stream| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write((), |stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write((), |stream| stream.poll_shutdown(cx))
    }
}
