//! Closes a connection so that the client can read the last response.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::stream::Stream;
use crate::ambient::Ticker;

/// How long a client may continue to send data that is discarded.
const LINGER: Duration = Duration::from_secs(2);

/// The size of the buffer for discarded data, in bytes.
const PIECE: usize = 16 * 1024;

/// Writes a last response, then lingers until the client has read it.
pub(super) async fn linger_after(mut stream: Stream, word: &[u8], ticker: &Ticker) {
    let deadline = ticker.deadline();
    deadline.arm(LINGER);
    let say = async {
        // a connection that cannot be written to is closed all the same
        let _ = stream.write_all(word).await;
        drain(&mut stream).await;
    };
    tokio::select! {
        () = say => {}
        () = deadline.passed() => {}
    }
}

/// Discards what a client sends after the response. Closing at once would reset the connection, and the reset can
/// overtake the response (RFC 9112, section 9.6).
pub(super) async fn linger(stream: Stream, ticker: &Ticker) {
    linger_after(stream, b"", ticker).await;
}

async fn drain(stream: &mut Stream) {
    // over TLS hyper may have done so
    let _ = stream.shutdown().await;
    let mut thrown_away = vec![0; PIECE];
    while stream
        .read(&mut thrown_away)
        .await
        .is_ok_and(|length| length > 0)
    {}
}

/// Closes an idle connection; over TLS with a close_notify alert.
pub(super) async fn hang_up(mut stream: Stream) {
    poll_fn(|cx| {
        // what the client does not take at once is not waited for
        let _ = Pin::new(&mut stream).poll_shutdown(cx);
        Poll::Ready(())
    })
    .await;
}
