//! A connection that is read to its end, however writing to it ends.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunk_position::ChunkPosition;
use super::flow::Flow;
use crate::ambient;
use crate::net::DialedStream;

/// A server may answer before it has read the request, and close: writing fails then, while the answer is there to be read
/// (RFC 9112, section 9.5). hyper gives up at the first failure, so that it hears of none here: what can no longer be
/// written is thrown away, and the reading side says how the connection ended.
#[derive(Debug)]
pub struct AnswerFirst {
    stream: DialedStream,
    /// What was read ahead.
    prefix: Bytes,
    /// Whether what is written was written before.
    repeats: Repeats,
    /// Whether nothing can be written any more.
    deaf: bool,
    flow: Arc<Flow>,
    /// The most that is ever read at once, in bytes.
    most: usize,
    pace: Pace,
    chunks: ChunkPosition,
}

/// How far hyper is with a request that the server has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    /// It is not: what it writes is new.
    Nothing,
    /// It has not written it yet. An answer that came before would be one to no request.
    Request,
    /// It has written it, and is to flush.
    Written,
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
            prefix: Bytes::new(),
            repeats: Repeats::Nothing,
            deaf: false,
            flow,
            most,
            pace: Pace {
                read: 0,
                began: ambient::now(),
                fast: false,
            },
            chunks: ChunkPosition::Unknown,
        }
    }

    /// Gives back what was read ahead; nothing may be left of what was given back before.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.prefix = bytes;
        }
    }

    /// Waits until there may be something to read, the end included.
    pub(super) async fn readable(&self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }

    /// Ready when there may be something to read, the end included.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.prefix.is_empty() {
            return Poll::Ready(());
        }
        // an error is found again by who reads
        self.stream.poll_readable(cx).map(drop)
    }

    /// Throws the next request away that is written: the server has it.
    pub(super) fn repeat_request(&mut self) {
        self.repeats = Repeats::Request;
    }

    /// Follows what is read of an answer. hyper tries to read where it has nothing left.
    fn follow(&mut self, read: &[u8], is_starved: bool) {
        if !read.is_empty() {
            self.chunks = match self.flow.take_answer_due() {
                true => ChunkPosition::of_answer(read),
                false => self.chunks.after(read),
            };
        }
        let between = is_starved && self.chunks.is_between();
        self.flow.set_between_chunks(between);
    }

    /// Whether what is written is the request that the server has.
    fn repeats(&mut self) -> bool {
        if self.repeats == Repeats::Request {
            self.repeats = Repeats::Written;
        }
        self.repeats != Repeats::Nothing
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
        if this.repeats != Repeats::Nothing {
            return Poll::Pending;
        }
        if !this.prefix.is_empty() {
            let length = this.prefix.len().min(buffer.remaining());
            buffer.put_slice(&this.prefix.split_to(length));
            if this.flow.take_answer_due() {
                this.chunks = ChunkPosition::Unknown;
            }
            return Poll::Ready(Ok(()));
        }
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
        let read = &buffer.filled()[before..];
        this.pace.note(read.len());
        this.follow(read, polled.is_pending());
        polled
    }
}

impl AsyncWrite for AnswerFirst {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.repeats() {
            return Poll::Ready(Ok(bytes.len()));
        }
        this.flow.note_written();
        this.write(bytes.len(), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = pieces.iter().map(|piece| piece.len()).sum();
        let this = self.get_mut();
        if this.repeats() {
            return Poll::Ready(Ok(all));
        }
        this.flow.note_written();
        this.write(all, |stream| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.repeats {
            Repeats::Nothing => {}
            Repeats::Request => return Poll::Ready(Ok(())),
            Repeats::Written => {
                this.repeats = Repeats::Nothing;
                // whoever tried to read before was not told to come back
                cx.waker().wake_by_ref();
                return Poll::Ready(Ok(()));
            }
        }
        let flushed = this.write((), |stream| stream.poll_flush(cx));
        if flushed.is_ready() {
            this.flow.note_flushed();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write((), |stream| stream.poll_shutdown(cx))
    }
}
