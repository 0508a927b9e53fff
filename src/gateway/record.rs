//! What is remembered of a request until it is over: then it becomes one access-log line and one count, however it ends.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;

use super::facts::{RequestFacts, Route};
use super::snapshot::{ServiceSnapshot, Snapshot};
use super::traced::Traced;
use super::worker::{Pinned, Worker};
use crate::access::{ClientAddress, Identity};
use crate::ambient;
use crate::telemetry::access_log::{Aborted, AccessLine};
use crate::telemetry::audit::AuditReservation;
use crate::telemetry::metrics::ServiceMetrics;
use crate::telemetry::traces::Trace;
use crate::upstream::{Origin, ServerIndex};
use crate::wire::Credential;

/// The record of one request. Dropping it writes the log line and the counters.
pub(super) struct RequestRecord {
    worker: Rc<Worker>,
    pinned: Rc<Pinned>,
    started: Instant,
    time: SystemTime,
    /// What the steps find out about the request.
    pub(super) facts: RequestFacts,
    /// The server of the last attempt.
    pub(super) server: Option<ServerIndex>,
    pub(super) upstream_time: Option<Duration>,
    pub(super) status: Option<u16>,
    pub(super) bytes: u64,
    /// Who broke the exchange off; `None` once the whole answer is handed over.
    pub(super) aborted: Option<Aborted>,
    /// Where the audit stream is on, and while the request is decided: a place for what is denied or done.
    pub(super) reservation: Option<AuditReservation>,
}

impl RequestRecord {
    /// On the heap from the start: it goes through many hands.
    pub(super) fn begin(worker: &Rc<Worker>, client: ClientAddress) -> Box<Self> {
        Box::new(Self {
            worker: Rc::clone(worker),
            pinned: worker.pin(),
            started: ambient::now(),
            time: ambient::wall_clock(),
            facts: RequestFacts::new(worker.next_request_id(), client),
            server: None,
            upstream_time: None,
            status: None,
            bytes: 0,
            aborted: Some(Aborted::Client),
            reservation: None,
        })
    }

    /// The service that the request is for.
    pub(super) fn service(&self) -> Option<&ServiceSnapshot> {
        match self.facts.route {
            Route::Service(index) => Some(&self.pinned.snapshot.services[index]),
            Route::None | Route::Portal => None,
        }
    }

    /// Pins the snapshot that is in force now, after a wait.
    pub(super) fn pin_again(&mut self) {
        self.pinned = self.worker.pin();
    }

    /// What the request is decided with.
    pub(super) fn pinned(&self) -> Rc<Pinned> {
        Rc::clone(&self.pinned)
    }

    /// The snapshot that the request is decided with.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.pinned.snapshot
    }

    /// Counters of whoever answers.
    pub(super) fn metrics(&self) -> &ServiceMetrics {
        match self.facts.route {
            Route::None => &self.pinned.unrouted,
            Route::Portal => &self.pinned.portal,
            Route::Service(index) => &self.pinned.handles[index].metrics,
        }
    }

    /// `Set-Cookie` for the session that is renewed in passing, where it still may be.
    pub(super) fn take_renewal(&mut self) -> Option<HeaderValue> {
        self.facts
            .renewal
            .take()?
            .cookie(&self.worker, &self.pinned)
    }

    /// Records the time of the upstream's response, and its server.
    pub(super) fn upstream_answered(&mut self, asked: Instant, server: Option<ServerIndex>) {
        self.server = server;
        self.upstream_time = server.map(|_| ambient::now().duration_since(asked));
    }

    /// Whose credential it is now, for who sees the answer; nothing is decided by it.
    pub(super) fn identify(&self, credential: &Credential) -> Option<Arc<Identity>> {
        let client = self.facts.client;
        let identified = self.worker.identify(&self.pinned, Some(credential), client);
        identified.caller.subject().identity().cloned()
    }

    /// The server of the last attempt, as it is configured.
    pub(super) fn origin(&self) -> Option<&Origin> {
        match self.facts.route {
            Route::Service(index) => {
                let server = self.server?;
                Some(self.pinned.handles[index].upstream.origin(server))
            }
            Route::None | Route::Portal => None,
        }
    }

    /// The trace that the request belongs to, for whom it is passed on to.
    pub(super) fn trace(&self) -> Option<&Trace> {
        self.facts.trace.as_deref().map(Traced::trace)
    }

    fn write_line(&self, duration: Duration) {
        let (service, handle) = match self.facts.route {
            Route::Service(index) => (
                Some(&self.pinned.snapshot.services[index]),
                Some(&self.pinned.handles[index]),
            ),
            Route::None | Route::Portal => (None, None),
        };
        let rule = service
            .zip(self.facts.rule)
            .map(|(service, id)| &*service.policy.rule(id).name);
        let line = AccessLine {
            time: self.time,
            request_id: self.facts.request_id.to_str().unwrap_or_default(),
            client: self.facts.client,
            user: self.facts.user.as_ref().map(|user| &*user.subject),
            provider: self.facts.provider(),
            method: self.facts.method.as_str(),
            host: &self.facts.host,
            path: &self.facts.path,
            service: service.map(|service| service.name.as_str()),
            rule,
            decision: self.facts.outcome.label(),
            reason: self.facts.reason.as_deref(),
            status: self.status.unwrap_or(0),
            bytes: self.bytes,
            upstream: handle
                .zip(self.server)
                .map(|(handle, server)| handle.upstream.name(server)),
            duration,
            upstream_duration: self.upstream_time,
            aborted: self.aborted,
            trace_id: self.facts.trace.as_deref().map(Traced::id),
        };
        if self.pinned.snapshot.access_log {
            self.worker.log.write(&line);
        }
        if self.facts.outcome.is_denial() {
            self.worker.recent.denied(&line);
        }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if self.aborted.is_some() && self.worker.has_ended() {
            self.aborted = Some(Aborted::Gateway);
        }
        let duration = ambient::now().duration_since(self.started);
        let rule = self.facts.rule.map(|rule| rule.0);
        self.metrics()
            .record(rule, self.facts.outcome, self.status.unwrap_or(0), duration);
        if self.pinned.snapshot.access_log || self.facts.outcome.is_denial() {
            self.write_line(duration);
        }
        if let Some(traced) = self.facts.trace.take()
            && traced.is_recorded()
        {
            traced.end(&self.server_span(traced.error));
        }
    }
}
