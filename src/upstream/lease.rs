//! The lease of a connection for one exchange.

use std::time::Duration;

use super::http1::Http1Lease;
use super::http2::Http2Lease;
use super::state::ServerLoad;
use crate::ambient::Deadline;

/// The connection that carries a response: returned to the pool or closed when the response ends.
pub(super) struct ConnectionLease {
    carrier: Carrier,
    /// Decremented when the lease ends.
    _load: Option<ServerLoad>,
}

/// A connection for one exchange.
pub(super) enum Carrier {
    Http1(Http1Lease),
    Http2(Http2Lease),
}

impl ConnectionLease {
    pub(super) fn new(carrier: Carrier, load: Option<ServerLoad>) -> Self {
        Self {
            carrier,
            _load: load,
        }
    }

    /// The answer is read to its end.
    pub(super) fn release(self) {
        match self.carrier {
            Carrier::Http1(lease) => lease.release(),
            Carrier::Http2(lease) => drop(lease),
        }
    }

    /// Passes when the answer is silent for too long, which is this long; armed by whoever waits for it.
    pub(super) fn silence(&self) -> (&Deadline, Duration) {
        match &self.carrier {
            Carrier::Http1(lease) => lease.silence(),
            Carrier::Http2(lease) => lease.silence(),
        }
    }
}
