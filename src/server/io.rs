//! A client's connection as hyper sees it: it tells the clock what passes, and lets interim answers in between.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::ConnectionClock;
use super::outbox::{Outbox, Writing};
use super::stream::Stream;
use super::target::TargetScan;

/// A client's connection.
pub(super) struct ClientIo {
    stream: Stream,
    clock: Rc<ConnectionClock>,
    outbox: Rc<Outbox>,
    target: Rc<TargetScan>,
    writing: Writing,
    /// Set while hyper writes a head that the client has already: how many bytes of its end have passed.
    repeated: Option<usize>,
}

/// How a head ends.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Room for what a client sends while it waits for an answer, in bytes; more is left to the socket.
const AHEAD: usize = 256;

impl ClientIo {
    pub(super) fn new(stream: Stream, clock: Rc<ConnectionClock>, outbox: Rc<Outbox>) -> Self {
        let target = Rc::<TargetScan>::default();
        // what was read ahead, to see what it is, comes again
        target.begin();
        Self {
            stream,
            clock,
            outbox,
            target,
            writing: Writing::default(),
            repeated: None,
        }
    }

    /// Where the target of each request is looked at.
    pub(super) fn target(&self) -> &Rc<TargetScan> {
        &self.target
    }

    /// The connection itself, for a last word.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Gives back what was read ahead.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.stream.unread(bytes);
    }

    /// Puts a head before all that is still to be read, and throws away the head of the answer where the client has it already.
    pub(super) fn lead_back(&mut self, head: Bytes, is_answer_begun: bool) {
        self.stream.unread(head);
        self.repeated = is_answer_begun.then_some(0);
    }

    /// Ready when the client has ended, which gives up what it waits for. Writes interim answers meanwhile.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // what cannot be written shows by what is read
        let _ = self.outbox.is_waiting().then(|| self.poll_interim(cx));
        // what it sends ahead is for later
        if self.stream.is_prefixed() {
            return Poll::Pending;
        }
        let mut piece = [0; AHEAD];
        let mut piece = ReadBuf::new(&mut piece);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece)) {
            Ok(()) if !piece.filled().is_empty() => {
                self.stream.unread(Bytes::copy_from_slice(piece.filled()));
                Poll::Pending
            }
            Ok(()) | Err(_) => {
                self.clock.ended();
                Poll::Ready(())
            }
        }
    }

    /// How many bytes belong to a head that is not to be written.
    fn skip_head(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut passed = self.repeated?;
        for (at, byte) in bytes.iter().enumerate() {
            passed = if *byte == END_OF_HEAD[passed] {
                passed + 1
            } else {
                usize::from(*byte == END_OF_HEAD[0])
            };
            if passed == END_OF_HEAD.len() {
                self.repeated = None;
                return Some(at + 1);
            }
        }
        self.repeated = Some(passed);
        Some(bytes.len())
    }

    fn note_write(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Pending => self.clock.write_stalled(),
            Poll::Ready(_) => {
                self.clock.written();
                self.clock.moves();
                self.outbox.note_written();
            }
        }
        polled
    }

    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self
            .outbox
            .poll_write(&mut self.writing, Pin::new(&mut self.stream), cx);
        match polled {
            Poll::Pending => self.clock.write_stalled(),
            Poll::Ready(_) => self.clock.written(),
        }
        polled
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let piece = self.clock.terms().piece;
        let polled = if buf.remaining() <= piece {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        } else {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(piece));
            let polled = Pin::new(&mut self.stream).poll_read(cx, &mut part);
            let read = part.filled().len();
            buf.advance(read);
            polled
        };
        match &polled {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                if self.clock.expects_head() {
                    self.target.begin();
                }
                self.clock.received(buf.filled().len() - before);
                self.target.look(&mut buf.filled_mut()[before..]);
            }
            Poll::Ready(_) => self.clock.ended(),
            Poll::Pending => {}
        }
        polled
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(skipped) = self.skip_head(buf) {
            return Poll::Ready(Ok(skipped));
        }
        if self.outbox.is_waiting() {
            ready!(self.poll_interim(cx))?;
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(skipped) = bufs.first().and_then(|first| self.skip_head(first)) {
            return Poll::Ready(Ok(skipped));
        }
        if self.outbox.is_waiting() {
            ready!(self.poll_interim(cx))?;
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has handed over all it had.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.note_flushed();
        if self.outbox.is_waiting() {
            ready!(self.poll_interim(cx))?;
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        match &polled {
            // only TLS holds something back
            Poll::Pending => self.clock.write_stalled(),
            Poll::Ready(_) => self.clock.written(),
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.clock.closes();
        let is_sending = self.clock.sending();
        match &mut self.stream {
            // it is closed next, which says the same; who goes on listening shuts it down before
            Stream::Tcp(_) | Stream::Unix(_) => Poll::Ready(Ok(())),
            // whoever still sends is listened to first
            Stream::Tls(_) if is_sending => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;
    use crate::ambient::Ticker;
    use crate::config::{Server, ServerLimits, ServerTimeouts};
    use crate::gateway::TrustGeneration;
    use crate::server::terms::Terms;
    use crate::wire::ForwardedFields;

    const HEAD: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n";

    fn pair() -> (ClientIo, UnixStream, Rc<Outbox>) {
        let (near, far) = UnixStream::pair().unwrap();
        let second = Duration::from_secs(1);
        let timeouts = ServerTimeouts {
            handshake: second,
            header: second,
            body: second,
            idle: second,
            tunnel: second,
            drain_delay: second,
            drain: second,
        };
        let limits = ServerLimits {
            header_bytes: 8192,
            headers: 1,
            body: None,
            connections: None,
            streams: 1,
        };
        let server = Server {
            listen: Vec::new(),
            tls: None,
            trusted_proxies: Vec::new(),
            forwarded: ForwardedFields::default(),
            proxy_protocol: None,
            preserve_header_case: false,
            workers: 1,
            timeouts,
            limits,
        };
        let clock = Rc::new(ConnectionClock::start(
            &Ticker::new(),
            Rc::new(Terms::new(&server, TrustGeneration::default(), false)),
        ));
        let outbox = Rc::new(Outbox::new());
        (
            ClientIo::new(Stream::unix(near), clock, Rc::clone(&outbox)),
            far,
            outbox,
        )
    }

    async fn read(far: &mut UnixStream, length: usize) -> String {
        let mut bytes = vec![0; length];
        far.read_exact(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn an_interim_answer_goes_before_the_answer_and_never_into_it() {
        let (mut io, mut far, outbox) = pair();
        outbox.interim().push(HEAD);
        io.write_all(b"final").await.unwrap();
        assert_eq!(
            read(&mut far, HEAD.len() + 5).await,
            "HTTP/1.1 103 Early Hints\r\n\r\nfinal"
        );
        outbox.interim().push(HEAD);
        io.write_all(b" answer").await.unwrap();
        assert_eq!(
            read(&mut far, 7).await,
            " answer",
            "the first half was written, the second follows it"
        );
        io.flush().await.unwrap();
        assert_eq!(read(&mut far, HEAD.len()).await.as_bytes(), HEAD);
    }

    #[tokio::test]
    async fn a_flush_is_enough() {
        let (mut io, mut far, outbox) = pair();
        outbox.interim().push(HEAD);
        outbox.interim().push(HEAD);
        io.flush().await.unwrap();
        assert_eq!(
            read(&mut far, 2 * HEAD.len()).await.as_bytes(),
            [HEAD, HEAD].concat()
        );
        assert!(!outbox.is_waiting());
    }

    #[tokio::test]
    async fn an_interim_answer_is_written_while_the_service_waits() {
        let (io, mut far, outbox) = pair();
        let final_answer = tokio::sync::Notify::new();
        let service = hyper::service::service_fn(async |_| {
            outbox.interim().push(HEAD);
            final_answer.notified().await;
            outbox.close();
            Ok::<_, std::convert::Infallible>(hyper::Response::new(
                http_body_util::Empty::<&[u8]>::new(),
            ))
        });
        let http = hyper::server::conn::http1::Builder::new();
        let connection = http.serve_connection(hyper_util::rt::TokioIo::new(io), service);
        let serve = async {
            std::future::poll_fn(|cx| {
                outbox.interim().wake_with(cx.waker());
                Poll::Ready(())
            })
            .await;
            connection.await.unwrap();
        };
        let ask = async {
            far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            assert_eq!(read(&mut far, HEAD.len()).await.as_bytes(), HEAD);
            // no request is in between: only the waker says that there is something to write
            outbox.interim().push(HEAD);
            assert_eq!(read(&mut far, HEAD.len()).await.as_bytes(), HEAD);
            final_answer.notify_one();
            let mut rest = String::new();
            far.read_to_string(&mut rest).await.unwrap();
            assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
        };
        tokio::join!(serve, ask);
    }

    #[tokio::test]
    async fn what_comes_too_late_is_left_out() {
        let (mut io, mut far, outbox) = pair();
        io.write_all(b"half of an").await.unwrap();
        outbox.interim().push(HEAD);
        outbox.close();
        io.write_all(b" answer").await.unwrap();
        io.flush().await.unwrap();
        drop(io);
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "half of an answer");
    }

    #[tokio::test]
    async fn an_interim_answer_that_the_client_takes_slowly_stays_in_one_piece() {
        let (mut io, mut far, outbox) = pair();
        let body = vec![b'x'; 4 << 20];
        let (sent, received) = (Rc::new(body.clone()), body.len() + HEAD.len() + 5);
        let write = async move {
            io.write_all(&sent).await.unwrap();
            io.flush().await.unwrap();
            let heads = (60 << 10) / HEAD.len();
            (0..heads).for_each(|_| outbox.interim().push(HEAD));
            // the socket's buffer is full when the interim answers come, and full again amidst of them
            let fill = vec![b'y'; 4 << 20];
            io.write_all(&fill).await.unwrap();
            io.flush().await.unwrap();
            drop(io);
            heads
        };
        let read = async {
            let mut all = Vec::with_capacity(received);
            far.read_to_end(&mut all).await.unwrap();
            all
        };
        let (heads, all) = tokio::join!(write, read);
        assert_eq!(all.len(), (8 << 20) + heads * HEAD.len());
        assert_eq!(&all[4 << 20..][..heads * HEAD.len()], HEAD.repeat(heads));
    }
}
