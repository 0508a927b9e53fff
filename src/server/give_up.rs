//! Closes a connection whose time is over.

use super::client::Client;
use super::clock::{ConnectionClock, Phase};
use super::context::Context;
use super::linger::{hang_up, linger_after};
use super::stream::Stream;
use crate::telemetry::metrics::ConnectionRejection;

/// What a head that did not come in time is told.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Ends a connection whose time is over. Where the client is late with something, this is counted, and where it waits
/// for an answer, it is told so.
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
