//! A socket from which some bytes were read already: they are read again before all others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket, and what was read of it ahead.
pub(super) struct Prefixed<S> {
    stream: S,
    prefix: Bytes,
}

impl<S> Prefixed<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            prefix: Bytes::new(),
        }
    }

    /// Gives back what was read.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        // even a view of nothing would keep the whole buffer behind it
        if bytes.is_empty() {
            return;
        }
        self.prefix = if self.prefix.is_empty() {
            bytes
        } else {
            [bytes, self.prefix.clone()].concat().into()
        };
    }

    /// Whether bytes are there without asking the socket.
    pub(super) fn is_prefixed(&self) -> bool {
        !self.prefix.is_empty()
    }

    pub(super) fn socket(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_ahead_comes_first_in_pieces_of_any_size() {
        let mut stream = Prefixed::new(&b"cdef"[..]);
        stream.unread(Bytes::from_static(b"b"));
        stream.unread(Bytes::from_static(b"a"));
        let mut piece = [0; 1];
        stream.read_exact(&mut piece).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&piece, rest.as_str()), (b"a", "bcdef"));
    }

    #[test]
    fn a_view_of_nothing_keeps_no_buffer() {
        let buffer = Bytes::from(vec![0; 8192]);
        let mut stream = Prefixed::new(&b""[..]);
        stream.unread(buffer.slice_ref(&buffer[..0]));
        let mut rest = buffer.clone();
        rest.advance(8192);
        stream.unread(rest);
        assert!(buffer.is_unique());
    }
}
