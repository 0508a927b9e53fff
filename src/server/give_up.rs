//! Closes a connection whose time is over.

use super::client::Client;
use super::clock::{ConnectionClock, Phase};
use super::context::Context;
use super::linger::{hang_up, linger_after};
use super::stream::Stream;
use crate::telemetry::metrics::ConnectionRejection;

/// The response to a head that did not arrive in time.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Closes a connection whose deadline has passed. Counts it where the client is late, and replies 408 where the head of
/// a request is incomplete.
pub(super) async fn give_up(
    stream: Stream,
    client: Client,
    clock: &ConnectionClock,
    context: &Context,
) {
    if clock.rests() {
        // it has done nothing wrong
        return hang_up(stream).await;
    }
    context
        .rejections
        .note(ConnectionRejection::Timeout, client.ip());
    if clock.phase() == Phase::Head {
        Box::pin(linger_after(stream, TOO_SLOW, &context.ticker)).await;
    }
}
