//! Closes a connection so that the client can read the last response.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::stream::Stream;
use crate::ambient::{Deadline, Ticker};

/// How long a client may continue to send data that is discarded.
const LINGER: Duration = Duration::from_secs(2);

/// How long one may that sends a body, unless it is silent for [`LINGER`], and how many bytes.
const LONGEST_BODY: Duration = Duration::from_secs(10);
const MOST_OF_BODY: usize = 256 << 20;

/// How long nothing of a body must have come before this side ends.
const QUIET: Duration = Duration::from_secs(1);

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

/// Discards the rest of a body that nobody reads. This side ends when the client does, or falls silent: proxies such as
/// hitch take the end of one direction for the end of both, and reset a client that still writes. `is_unfinished` where the
/// client certainly is to send more; else it is looked whether anything is there.
pub(super) async fn discard_body(mut stream: Stream, is_unfinished: bool, ticker: &Ticker) {
    let (last, silence) = (ticker.deadline(), ticker.deadline());
    last.arm(LONGEST_BODY);
    let mut left = MOST_OF_BODY;
    let discard = async {
        if is_unfinished || has_bytes(&mut stream).await {
            discard_until_silence(&mut stream, &silence, QUIET, &mut left).await;
        }
        // over TLS hyper may have done so
        let _ = stream.shutdown().await;
        discard_until_silence(&mut stream, &silence, LINGER, &mut left).await;
    };
    tokio::select! {
        () = discard => {}
        () = last.passed() => {}
    }
}

/// Whether a client has sent something; it is discarded.
async fn has_bytes(stream: &mut Stream) -> bool {
    let mut thrown_away = vec![0; PIECE];
    tokio::select! {
        biased;
        read = stream.read(&mut thrown_away) => read.is_ok_and(|length| length > 0),
        () = ready(()) => false,
    }
}

/// Discards until nothing has come for this long, the client ends, or as many bytes have come as are left to it.
async fn discard_until_silence(
    stream: &mut Stream,
    silence: &Deadline,
    longest: Duration,
    left: &mut usize,
) {
    let mut thrown_away = vec![0; PIECE];
    while *left > 0 {
        silence.arm(longest);
        let length = tokio::select! {
            read = stream.read(&mut thrown_away) => read.unwrap_or(0),
            () = silence.passed() => 0,
        };
        if length == 0 {
            return;
        }
        *left = left.saturating_sub(length);
    }
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
