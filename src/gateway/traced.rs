//! The trace that a request belongs to.

use std::sync::Arc;

use http::request::Parts;

use super::snapshot::Snapshot;
use crate::ambient;
use crate::telemetry::traces::{Begin, Sender, ServerSpan, Trace, Tracer};
use crate::wire::{Peer, Scheme};

/// A request that belongs to a trace. On the heap: most gateways trace nothing, and their records stay small.
pub(super) struct Traced {
    trace: Trace,
    /// How the client came.
    pub(super) scheme: Scheme,
    /// Why there is no answer of the upstream.
    pub(super) error: Option<&'static str>,
}

impl Traced {
    pub(super) fn begin(
        tracer: &Arc<Tracer>,
        head: &Parts,
        peer: &Peer,
        snapshot: &Snapshot,
    ) -> Box<Self> {
        let sender = if snapshot.trusted.trust(peer) {
            Sender::Proxy
        } else {
            Sender::Stranger
        };
        let begin = Begin {
            time: ambient::wall_clock(),
            instant: ambient::now(),
            chance: ambient::random_bytes(),
        };
        Box::new(Self {
            trace: tracer.begin(head, sender, begin),
            scheme: peer.scheme(),
            error: None,
        })
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// For the access log.
    pub(super) fn id(&self) -> [u8; 16] {
        self.trace.id()
    }

    /// Whether its spans are exported.
    pub(super) fn is_recorded(&self) -> bool {
        self.trace.is_recorded()
    }

    /// Ends the span of the request.
    pub(super) fn end(&self, span: &ServerSpan<'_>) {
        self.trace.end(span, self.scheme.as_str());
    }
}
