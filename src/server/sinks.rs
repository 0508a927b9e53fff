//! The outputs of the process beside responses: traces and the audit stream, until they are flushed at the end.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ambient;
use crate::config::{Problem, ServerTimeouts, Severity};
use crate::gateway::ProcessState;
use crate::telemetry::audit::{Audit, AuditOutcome, AuditRecord};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;
use crate::text::hex;

/// How long the last spans and records may take, whatever is left of the drain.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// The most problems that one record lists.
const MOST_PROBLEMS: usize = 20;

/// Traces and the audit stream.
pub(super) struct Sinks {
    traces: Arc<Traces>,
    audit: Option<Arc<Audit>>,
    /// When a drain has to be over.
    latest: Cell<Option<Instant>>,
}

impl Sinks {
    /// Records the start of the gateway, and registers the counters of both.
    pub(super) fn open(process_state: &ProcessState, metrics: &Metrics) -> Self {
        metrics.show_spans(process_state.traces.counts());
        if let Some(audit) = &process_state.audit {
            metrics.show_audit(audit.counts());
            let record =
                record("start", AuditOutcome::Success).text("version", env!("CARGO_PKG_VERSION"));
            audit.write(&record.value("pid", std::process::id()));
        }
        Self {
            traces: Arc::clone(&process_state.traces),
            audit: process_state.audit.clone(),
            latest: Cell::new(None),
        }
    }

    /// Starts the drain. Returns the delay before connections are drained.
    pub(super) fn drain(&self, timeouts: &ServerTimeouts) -> Duration {
        self.latest
            .set(Some(ambient::now() + timeouts.drain_delay + timeouts.drain));
        timeouts.drain_delay
    }

    /// Ends `reloads`, which may still record something, and then flushes and closes both.
    pub(super) fn close<R>(self, reloads: R) {
        drop(reloads);
        let left = || {
            self.latest.get().map_or(Duration::ZERO, |latest| {
                latest.saturating_duration_since(ambient::now())
            })
        };
        if let Some(audit) = &self.audit {
            audit.write(&record("stop", AuditOutcome::Success));
            audit.close(left().clamp(SHORTEST, LONGEST));
        }
        self.traces.close(left().clamp(SHORTEST, LONGEST));
    }
}

/// Records that another configuration is in force, with so many services and users.
pub(super) fn applied(audit: &Arc<Audit>, digest: &[u8; 32], (services, users): (usize, usize)) {
    let record =
        record("config_reload", AuditOutcome::Success).text("digest", &hex::encode(digest));
    audit.write(&record.value("services", services).value("users", users));
}

/// Records that the files were refused, and why.
pub(super) fn refused(audit: &Arc<Audit>, problems: &[Problem]) {
    let errors = || {
        problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
    };
    let listed: Vec<Value> = errors().take(MOST_PROBLEMS).map(problem).collect();
    let record = record("config_reload", AuditOutcome::Failure)
        .value("errors", errors().count())
        .value("problems", listed);
    audit.write(&record);
}

fn problem(problem: &Problem) -> Value {
    let place = problem.place.as_ref();
    json!({
        "code": problem.code.as_str(),
        "message": problem.message,
        "file": place.map(|place| place.file.display().to_string()),
        "line": place.map(|place| place.line),
    })
}

fn record(event: &'static str, outcome: AuditOutcome) -> AuditRecord {
    AuditRecord::new(ambient::wall_clock(), event, outcome)
}
