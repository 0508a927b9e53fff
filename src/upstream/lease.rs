//! The lease of a connection for one exchange.

use std::time::Duration;

use super::driven::Driven;
use super::http1::{Http1Lease, RestingBody};
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

    /// Passes when the next piece has been waited for so long that the connection may rest. Streams of HTTP/2 share one,
    /// which does not.
    pub(super) fn look(&self) -> Option<&Deadline> {
        match &self.carrier {
            Carrier::Http1(lease) => Some(lease.look()),
            Carrier::Http2(_) => None,
        }
    }

    /// Lets a chunked body rest; `None` where that cannot be now.
    pub(super) fn rest(&mut self) -> Option<RestingBody> {
        match &mut self.carrier {
            Carrier::Http1(lease) => lease.rest(),
            Carrier::Http2(_) => None,
        }
    }

    /// A body that has rested goes on.
    pub(super) fn resumed(&mut self, driven: Driven) {
        if let Carrier::Http1(lease) = &mut self.carrier {
            lease.resumed(driven);
        }
    }
}
