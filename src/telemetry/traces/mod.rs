//! Traces: one span for each request and one for each attempt to reach an upstream, sent to a collector over OTLP.
//!
//! A thread of its own exports. Nobody waits for it: what the collector does not take in time is dropped and counted.

mod connect;
mod context;
mod exporter;
mod queue;
mod settings;
mod span;
mod trace;

pub use queue::SpanCounts;
pub use settings::{TraceSettings, TrustContext};
pub use span::{AttemptOutcome, ServerSpan};
pub use trace::{Begin, Sender, ServerAttempt, Trace, Tracer};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The traces of the process, over all loads of the configuration. Off until a load asks for them.
#[derive(Debug, Default)]
pub struct Traces {
    current: Mutex<Option<Arc<Tracer>>>,
    counts: SpanCounts,
}

impl Traces {
    /// What traces the requests of a load: the tracer in force where the settings are the same, else a new one. The
    /// former one exports what it has once the last request that it traces is over. `None`: no traces.
    pub fn tracer(&self, settings: Option<&TraceSettings>) -> Option<Arc<Tracer>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let same = current
            .as_ref()
            .is_some_and(|tracer| Some(tracer.settings()) == settings);
        if !same {
            *current = settings.and_then(|settings| start(settings, &self.counts));
        }
        current.clone()
    }

    /// How many spans were sent, and how many were not.
    pub fn counts(&self) -> SpanCounts {
        self.counts.clone()
    }

    /// Exports what is there and waits for that, at most this long. Spans that come afterwards count as dropped.
    pub fn close(&self, limit: Duration) {
        let current = self
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(tracer) = current {
            tracer.close(limit);
        }
    }
}

/// Without traces the gateway serves as well: that they cannot be had is an event.
fn start(settings: &TraceSettings, counts: &SpanCounts) -> Option<Arc<Tracer>> {
    match Tracer::start(settings.clone(), counts) {
        Ok(tracer) => Some(Arc::new(tracer)),
        Err(error) => {
            tracing::error!(%error, "requests are not traced: the exporter cannot start");
            None
        }
    }
}
