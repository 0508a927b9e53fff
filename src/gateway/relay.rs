//! Bytes on their way from one side of a tunnel to the other. Of tunnels there may be thousands, most of which rest: none
//! keeps a buffer, unless a side does not take what was read for it.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;

/// The most that is read at once, in bytes: as much as a record of TLS or a frame of HTTP/2 holds. So much may wait for a
/// side that does not read.
const PIECE: usize = 16 << 10;

/// What all tunnels of a worker read into, one after the other.
#[derive(Default)]
pub(super) struct RelayBuffer(Cell<Vec<u8>>);

/// One direction of a tunnel.
#[derive(Default)]
pub(super) struct Relay {
    /// What was read and is not taken yet; without a place on the heap where all is.
    left: Vec<u8>,
    /// How much of it is taken.
    taken: usize,
    /// Whether the writer may hold something back.
    unflushed: bool,
    stage: Stage,
}

/// How far a direction is.
#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    Open,
    /// The reader has ended, the writer is not told yet.
    Ending,
    Ended,
}

impl RelayBuffer {
    /// Lends the buffer; it is made for whoever is the first to need it.
    pub(super) fn lend<T>(&self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut buffer = self.0.take();
        buffer.resize(PIECE, 0);
        let outcome = read(&mut buffer);
        self.0.set(buffer);
        outcome
    }
}

impl Relay {
    /// Passes on what there is. Ready when the reader has ended, and the writer with it.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        buffer: &mut [u8],
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_left(cx, writer))?;
            match self.stage {
                Stage::Open => {}
                Stage::Ending => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx))?;
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(())),
            }
            // one side that always has something must not keep the worker to itself
            let turn = ready!(poll_proceed(cx));
            let mut piece = ReadBuf::new(buffer);
            if Pin::new(&mut *reader)
                .poll_read(cx, &mut piece)?
                .is_pending()
            {
                if self.unflushed {
                    ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            }
            turn.made_progress();
            match piece.filled() {
                [] => self.stage = Stage::Ending,
                read => self.pass(cx, writer, read)?,
            }
        }
    }

    /// Writes as much as the writer takes, and keeps the rest.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
        mut bytes: &[u8],
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let Poll::Ready(length) = self.poll_write(cx, writer, bytes)? else {
                self.left = bytes.to_vec();
                break;
            };
            bytes = &bytes[length..];
        }
        Ok(())
    }

    /// Ready when the writer has taken all that was left.
    fn poll_left(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let left = std::mem::take(&mut self.left);
        while self.taken < left.len() {
            match self.poll_write(cx, writer, &left[self.taken..])? {
                Poll::Ready(length) => self.taken += length,
                Poll::Pending => {
                    self.left = left;
                    return Poll::Pending;
                }
            }
        }
        self.taken = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> io::Result<Poll<usize>> {
        match Pin::new(writer).poll_write(cx, bytes)? {
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(length) => {
                self.unflushed = true;
                Ok(Poll::Ready(length))
            }
            Poll::Pending => Ok(Poll::Pending),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    async fn relay(
        relay: &mut Relay,
        buffer: &RelayBuffer,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        poll_fn(|cx| buffer.lend(|buffer| relay.poll(cx, reader, writer, buffer))).await
    }

    #[tokio::test]
    async fn every_byte_arrives_in_order_however_slowly_it_is_taken() {
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        for room in [1000, PIECE, 5 * PIECE] {
            let (mut source, mut from) = duplex(3 * PIECE);
            let (mut to, mut sink) = duplex(room);
            let (buffer, mut direction) = (RelayBuffer::default(), Relay::default());
            let mut received = Vec::new();
            let write = async {
                source.write_all(&sent).await.unwrap();
                source.shutdown().await.unwrap();
            };
            let (_, relayed, read) = tokio::join!(
                write,
                relay(&mut direction, &buffer, &mut from, &mut to),
                sink.read_to_end(&mut received),
            );
            relayed.unwrap();
            read.unwrap();
            assert!(
                received == sent,
                "{} bytes with room {room}",
                received.len()
            );
        }
    }

    #[tokio::test]
    async fn only_what_a_side_does_not_take_is_kept() {
        let (mut source, mut from) = duplex(PIECE);
        let (mut to, mut sink) = duplex(10);
        let (buffer, mut direction) = (RelayBuffer::default(), Relay::default());
        let mut once = async |relay: &mut Relay| {
            poll_fn(|cx| {
                let polled = buffer.lend(|buffer| relay.poll(cx, &mut from, &mut to, buffer));
                assert!(polled.is_pending());
                Poll::Ready(())
            })
            .await;
        };
        source.write_all(b"0123456789").await.unwrap();
        once(&mut direction).await;
        assert_eq!(direction.left.capacity(), 0, "all of it is taken");
        source.write_all(b"abc").await.unwrap();
        once(&mut direction).await;
        assert_eq!(direction.left, b"abc");
        let mut read = [0; 13];
        sink.read_exact(&mut read[..10]).await.unwrap();
        once(&mut direction).await;
        assert_eq!(direction.left.capacity(), 0, "it is taken now");
        sink.read_exact(&mut read[10..]).await.unwrap();
        assert_eq!(&read, b"0123456789abc");
    }

    #[tokio::test]
    async fn a_writer_that_is_gone_ends_it() {
        let (mut source, mut from) = duplex(PIECE);
        let (mut to, sink) = duplex(10);
        drop(sink);
        source.write_all(b"a").await.unwrap();
        let (buffer, mut direction) = (RelayBuffer::default(), Relay::default());
        let ended = relay(&mut direction, &buffer, &mut from, &mut to).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
