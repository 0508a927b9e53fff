//! One request's part of a trace.

use std::cell::RefCell;
use std::error::Error;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::context::{self, Incoming, TRACEPARENT, TRACESTATE};
use super::exporter;
use super::queue::{SpanCounts, SpanQueue};
use super::settings::{TraceSettings, TrustContext};
use super::span::{Attempt, AttemptOutcome, ServerSpan, Told};

/// Begins the traces of one load of the configuration, and sends them. Dropping it sends what is left, beside everything
/// else.
#[derive(Debug)]
pub struct Tracer {
    settings: TraceSettings,
    queue: Arc<SpanQueue>,
    /// Ends when the exporter has ended.
    ended: Mutex<Receiver<()>>,
    scope: InstrumentationScope,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A trusted proxy.
    Proxy,
    /// Anybody.
    Stranger,
}

/// When a request began, and chance for its ids.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// The wall clock.
    pub time: SystemTime,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
    /// Makes a trace id, a span id, and the lot that decides whether the trace is recorded.
    pub chance: [u8; 32],
}

/// A request that belongs to a trace, recorded or not.
#[derive(Debug)]
pub struct Trace {
    tracer: Arc<Tracer>,
    begin: Begin,
    id: TraceId,
    parent: Option<SpanId>,
    span: SpanId,
    state: TraceState,
    recorded: bool,
    agent: Option<HeaderValue>,
    version: Version,
    attempts: RefCell<Vec<Attempt>>,
}

impl Tracer {
    pub(super) fn start(
        settings: TraceSettings,
        counts: &SpanCounts,
    ) -> Result<Self, Box<dyn Error>> {
        let queue = Arc::new(SpanQueue::new(counts.clone()));
        let ended = Mutex::new(exporter::start(&settings, &queue)?);
        let version = env!("CARGO_PKG_VERSION");
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(version)
            .build();
        Ok(Self {
            settings,
            queue,
            ended,
            scope,
        })
    }

    pub(super) fn settings(&self) -> &TraceSettings {
        &self.settings
    }

    pub(super) fn close(&self, limit: Duration) {
        self.queue.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // nothing is ever sent: it returns when the exporter is gone, or when waiting is over
        if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            self.queue.clear();
        }
    }

    /// Continues the trace that a request belongs to, or begins one.
    pub fn begin(self: &Arc<Self>, head: &Parts, sender: Sender, begin: Begin) -> Trace {
        let (trace, span, lot) = split(begin.chance);
        let incoming = Incoming::read(&head.headers);
        let heard = match self.settings.trust {
            TrustContext::Any => true,
            TrustContext::Proxies => sender == Sender::Proxy,
        };
        let recorded = match &incoming {
            Some(incoming) if heard => incoming.sampled,
            // the id of a stranger's trace is of his choice: it must not decide
            Some(_) | None => wins(lot, self.settings.sample),
        };
        let (id, parent, state) = match incoming {
            Some(Incoming {
                trace,
                parent,
                state,
                ..
            }) => (trace, Some(parent), state),
            None => (TraceId::from(trace), None, TraceState::NONE),
        };
        Trace {
            tracer: Arc::clone(self),
            begin,
            id,
            parent,
            span: SpanId::from(span),
            state,
            recorded,
            agent: head.headers.get(USER_AGENT).filter(|_| recorded).cloned(),
            version: head.version,
            attempts: RefCell::default(),
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// An id of a trace, one of a span, and a lot. No id is zero.
fn split(chance: [u8; 32]) -> (u128, u64, u64) {
    let number = |from: usize| {
        chance[from..from + 8]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let trace = u128::from(number(0)) << 64 | u128::from(number(8));
    (trace.max(1), number(16).max(1), number(24))
}

/// Whether a lot is among this share of all lots.
fn wins(lot: u64, share: f64) -> bool {
    const BITS: u32 = 53;
    // as many bits as a float holds exactly
    let place = (lot >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64;
    place < share
}

impl Trace {
    /// The trace's id: 32 hexadecimal digits once written.
    pub fn id(&self) -> [u8; 16] {
        self.id.to_bytes()
    }

    /// Whether somebody will see it.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Records that a server is tried, and gives its request the context of that span in place of the client's.
    pub fn ask(
        &self,
        fields: &mut HeaderMap,
        id: impl FnOnce() -> [u8; 8],
        attempt: impl FnOnce() -> ServerAttempt,
    ) {
        let span = if self.recorded {
            self.note(id(), attempt())
        } else {
            self.span
        };
        fields.insert(TRACEPARENT, context::write(self.id, span, self.recorded));
        match HeaderValue::try_from(self.state.header()) {
            Ok(state) if !state.is_empty() => drop(fields.insert(TRACESTATE, state)),
            Ok(_) | Err(_) => drop(fields.remove(TRACESTATE)),
        }
    }

    fn note(&self, id: [u8; 8], asked: ServerAttempt) -> SpanId {
        let id = SpanId::from(u64::from_be_bytes(id).max(1));
        let ServerAttempt {
            began,
            method,
            scheme,
            server,
            path,
        } = asked;
        self.attempts.borrow_mut().push(Attempt {
            id,
            began,
            method,
            scheme,
            server,
            path,
            ended: None,
        });
        id
    }

    /// Says how the last attempt ended.
    pub fn hear(&self, ended: Instant, outcome: AttemptOutcome) {
        if let Some(last) = self.attempts.borrow_mut().last_mut() {
            last.ended = Some((ended, outcome));
        }
    }

    /// Sends everything. `scheme` is how the client came.
    pub fn end(&self, server: &ServerSpan<'_>, scheme: &'static str) {
        if !self.recorded {
            return;
        }
        let agent = self.agent.as_ref().and_then(|agent| agent.to_str().ok());
        let attempts = self.attempts.take();
        let told = server.told(agent, self.version, scheme);
        let mut spans = Vec::with_capacity(1 + attempts.len());
        spans.push(SpanData {
            parent_span_is_remote: self.parent.is_some(),
            ..self.span(
                self.span,
                self.parent.unwrap_or(SpanId::INVALID),
                self.begin.instant,
                server.ended,
                told,
            )
        });
        for (resent, attempt) in attempts.iter().enumerate() {
            let ended = attempt.ended.map_or(server.ended, |(ended, _)| ended);
            spans.push(self.span(
                attempt.id,
                self.span,
                attempt.began,
                ended,
                attempt.told(resent),
            ));
        }
        self.tracer.queue.push(spans.into_iter());
    }

    fn span(
        &self,
        id: SpanId,
        parent: SpanId,
        began: Instant,
        ended: Instant,
        told: Told,
    ) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                self.id,
                id,
                TraceFlags::SAMPLED,
                false,
                self.state.clone(),
            ),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: told.kind,
            name: told.name,
            start_time: self.wall(began),
            end_time: self.wall(ended),
            attributes: told.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: told.status,
            instrumentation_scope: self.tracer.scope.clone(),
        }
    }

    /// One look at the wall clock is enough for a request, and its spans fit into each other whatever the clock does.
    fn wall(&self, instant: Instant) -> SystemTime {
        self.begin.time + instant.saturating_duration_since(self.begin.instant)
    }
}

/// One attempt at an upstream server.
#[derive(Debug)]
pub struct ServerAttempt {
    /// When.
    pub began: Instant,
    /// The method of the request.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// As it is called in logs.
    pub server: String,
    /// The path of the request, never the query.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_all_lots_wins() {
        assert!(!wins(0, 0.0));
        assert!(wins(u64::MAX, 1.0));
        assert!(wins(u64::MAX / 10, 0.11) && !wins(u64::MAX / 10, 0.09));
    }

    #[test]
    fn no_id_is_zero() {
        assert_eq!(split([0; 32]), (1, 1, 0));
        let (trace, span, lot) = split(std::array::from_fn(|place| place as u8));
        assert_eq!(
            TraceId::from(trace).to_string(),
            "000102030405060708090a0b0c0d0e0f"
        );
        assert_eq!(
            (SpanId::from(span).to_string(), lot),
            ("1011121314151617".to_owned(), 0x1819_1a1b_1c1d_1e1f)
        );
    }
}
