//! Connections of HTTP/1.1 that rest between two requests: of them there may be thousands, and none needs more than its
//! socket and its deadline.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::AsyncWrite;

use super::clock::ConnectionClock;
use super::context::Context;
use super::stream::Stream;

/// Why a connection is parked no longer.
pub(super) enum Woken {
    /// There is something to read: a request, or the end.
    Called,
    /// Its time was over, its terms were, or the gateway drains. It has ended.
    Over,
}

/// Waits until a connection that rests has something to say. A drain, or the end of its terms, ends it at once: it is
/// not the connection of a client whose next request is on its way.
pub(super) async fn park(stream: &mut Stream, clock: &ConnectionClock, context: &Context) -> Woken {
    let _parked = context.gateway.shard().parked_connections().hold();
    poll_fn(|cx| {
        if stream.poll_readable(cx).is_ready() {
            return Poll::Ready(Woken::Called);
        }
        if !context.ends(clock.terms()) && clock.poll_over(cx).is_pending() {
            return Poll::Pending;
        }
        // over TLS the client is told so; what it does not take at once is not waited for
        let _ = Pin::new(&mut *stream).poll_shutdown(cx);
        Poll::Ready(Woken::Over)
    })
    .await
}
