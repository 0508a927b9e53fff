//! A client's connection, whatever carries it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use super::prefixed::Prefixed;
use crate::net::in_one_piece;

/// Room for what is read before it is known what it is, in bytes: as much as hyper makes for its first read.
const FIRST_READ: usize = 8 * 1024;

/// A client's connection.
pub(super) enum Stream {
    Tcp(Prefixed<TcpStream>),
    Unix(Prefixed<UnixStream>),
    /// Boxed for the sake of the others: the state of TLS is many times their size.
    Tls(Box<Prefixed<TlsStream<Prefixed<TcpStream>>>>),
}

macro_rules! each {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
            Stream::Tls($inner) => $call,
        }
    };
}

impl Stream {
    pub(super) fn tcp(stream: TcpStream) -> Self {
        Self::Tcp(Prefixed::new(stream))
    }

    pub(super) fn unix(stream: UnixStream) -> Self {
        Self::Unix(Prefixed::new(stream))
    }

    /// Reads something, with no memory held until it is there. Empty where the client has ended.
    pub(super) async fn read_ahead(&mut self) -> io::Result<BytesMut> {
        poll_fn(|cx| self.poll_readable(cx)).await?;
        let mut bytes = BytesMut::with_capacity(FIRST_READ);
        self.read_buf(&mut bytes).await?;
        Ok(bytes)
    }

    pub(super) fn tls(stream: TlsStream<Prefixed<TcpStream>>) -> Self {
        Self::Tls(Box::new(Prefixed::new(stream)))
    }

    /// Gives back what was read ahead.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        each!(self, stream => stream.unread(bytes));
    }

    /// Whether something is there that was read ahead.
    pub(super) fn is_prefixed(&self) -> bool {
        each!(self, stream => stream.is_prefixed())
    }

    /// Ready where there may be something to read, the end included. TLS has handed out all it had decrypted whenever
    /// it was read until there was nothing left.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) if !stream.is_prefixed() => stream.socket().poll_read_ready(cx),
            Self::Unix(stream) if !stream.is_prefixed() => stream.socket().poll_read_ready(cx),
            Self::Tls(stream) if !stream.is_prefixed() => {
                stream.socket().get_ref().0.socket().poll_read_ready(cx)
            }
            Self::Tcp(_) | Self::Unix(_) | Self::Tls(_) => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&mut *self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(&mut *self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // a head without a body is one piece, which costs the kernel less than a list of one
        if let [piece] = bufs {
            return self.poll_write(cx, piece);
        }
        if let Some(written) = in_one_piece(bufs, |piece| self.as_mut().poll_write(cx, piece)) {
            return written;
        }
        each!(&mut *self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
