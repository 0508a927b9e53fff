//! What a worker needs to open connections.

use crate::ambient::Ticker;
use crate::net::Dialer;
use crate::telemetry::metrics::Gauge;

/// What a worker needs to open connections to upstream servers.
pub struct DialContext {
    /// Opens connections.
    pub dialer: Dialer,
    /// Makes their deadlines.
    pub ticker: Ticker,
    /// Counts them.
    pub counts: ConnectionCounts,
    /// Whether memory is scarce: less is read ahead of clients that are slow.
    pub frugal: bool,
}

/// The gauges of a worker for its upstream connections.
pub struct ConnectionCounts {
    /// Kept for the next request.
    pub idle: Gauge,
    /// In use.
    pub active: Gauge,
}
