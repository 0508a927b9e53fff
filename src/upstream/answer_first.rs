//! A connection that is read to its end, however writing to it ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::DialedStream;

/// A server may answer before it has read the request, and close: writing fails then, while the answer is there to be read
/// (RFC 9112, section 9.5). hyper gives up at the first failure, so that it hears of none here: what can no longer be
/// written is thrown away, and the reading side says how the connection ended.
#[derive(Debug)]
pub(super) struct AnswerFirst {
    stream: DialedStream,
    /// Whether nothing can be written any more.
    deaf: bool,
}

impl AnswerFirst {
    pub(super) fn new(stream: DialedStream) -> Self {
        Self {
            stream,
            deaf: false,
        }
    }

    fn write<T>(
        &mut self,
        taken: T,
        write: impl FnOnce(Pin<&mut DialedStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if !self.deaf {
            match write(Pin::new(&mut self.stream)) {
                Poll::Ready(Err(_)) => self.deaf = true,
                written => return written,
            }
        }
        Poll::Ready(Ok(taken))
    }
}

impl AsyncRead for AnswerFirst {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
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
