//! What is remembered of a request until it is over: then it becomes one access-log line and one count, however it ends.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderValue, Method};

use super::facts::{RequestFacts, Route};
use super::renewal::Renewal;
use super::snapshot::{ServiceSnapshot, Snapshot};
use super::traced::Traced;
use super::worker::{Pinned, Worker};
use crate::access::{ClientAddress, Identity, RuleId};
use crate::ambient;
use crate::telemetry::access_log::{Aborted, AccessLine};
use crate::telemetry::audit::AuditReservation;
use crate::telemetry::metrics::{RequestOutcome, ServiceMetrics};
use crate::telemetry::traces::Trace;
use crate::upstream::ServerIndex;
use crate::wire::Answered;

/// The record of one request. Dropping it writes the log line and the counters.
pub(super) struct RequestRecord {
    worker: Rc<Worker>,
    pinned: Rc<Pinned>,
    started: Instant,
    time: SystemTime,
    pub(super) client: ClientAddress,
    pub(super) request_id: HeaderValue,
    pub(super) method: Method,
    pub(super) host: Box<str>,
    pub(super) path: Box<str>,
    pub(super) route: Route,
    pub(super) user: Option<Arc<Identity>>,
    /// The session that is renewed in passing, if the answer comes in time.
    pub(super) renewal: Option<Renewal>,
    pub(super) rule: Option<RuleId>,
    pub(super) outcome: RequestOutcome,
    pub(super) reason: Option<String>,
    /// The server of the last attempt.
    pub(super) server: Option<ServerIndex>,
    pub(super) upstream_time: Option<Duration>,
    pub(super) status: Option<u16>,
    pub(super) bytes: u64,
    /// Who broke the exchange off; `None` once the whole answer is handed over.
    pub(super) aborted: Option<Aborted>,
    /// What a page of another origin may read of the response; only where the service has a `cors` block.
    pub(super) cors: Option<Answered>,
    /// Only where requests are traced.
    pub(super) trace: Option<Box<Traced>>,
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
            client,
            request_id: worker.next_request_id(),
            method: Method::GET,
            host: Box::default(),
            path: Box::default(),
            route: Route::None,
            user: None,
            renewal: None,
            rule: None,
            outcome: RequestOutcome::BadRequest,
            reason: None,
            server: None,
            upstream_time: None,
            status: None,
            bytes: 0,
            aborted: Some(Aborted::Client),
            cors: None,
            trace: None,
            reservation: None,
        })
    }

    /// Takes what was found out about the request until it was decided.
    pub(super) fn fill(&mut self, facts: RequestFacts) {
        self.client = facts.client.unwrap_or(self.client);
        self.request_id = facts.request_id;
        self.method = facts.method;
        self.host = facts.host;
        self.path = facts.path;
        self.route = facts.route;
        self.user = facts.user;
        self.renewal = facts.renewal;
        self.rule = facts.rule;
        self.outcome = facts.outcome;
        self.reason = facts.reason;
        self.cors = facts.cors;
        self.trace = facts.trace;
    }

    /// The service that the request is for.
    pub(super) fn service(&self) -> Option<&ServiceSnapshot> {
        match self.route {
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
        match self.route {
            Route::None => &self.pinned.unrouted,
            Route::Portal => &self.pinned.portal,
            Route::Service(index) => &self.pinned.handles[index].metrics,
        }
    }

    /// `Set-Cookie` for the session that is renewed in passing, where it still may be.
    pub(super) fn take_renewal(&mut self) -> Option<HeaderValue> {
        self.renewal.take()?.cookie(&self.worker, &self.pinned)
    }

    /// Records the time of the upstream's response, and its server.
    pub(super) fn upstream_answered(&mut self, asked: Instant, server: Option<ServerIndex>) {
        self.server = server;
        self.upstream_time = server.map(|_| ambient::now().duration_since(asked));
    }

    /// The trace that the request belongs to, for whom it is passed on to.
    pub(super) fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref().map(Traced::trace)
    }

    fn write_line(&self, duration: Duration) {
        let (service, handle) = match self.route {
            Route::Service(index) => (
                Some(&self.pinned.snapshot.services[index]),
                Some(&self.pinned.handles[index]),
            ),
            Route::None | Route::Portal => (None, None),
        };
        let rule = service
            .zip(self.rule)
            .map(|(service, id)| &*service.policy.rule(id).name);
        let line = AccessLine {
            time: self.time,
            request_id: self.request_id.to_str().unwrap_or_default(),
            client: self.client,
            user: self.user.as_ref().map(|user| &*user.subject),
            method: self.method.as_str(),
            host: &self.host,
            path: &self.path,
            service: service.map(|service| service.name.as_str()),
            rule,
            decision: self.outcome.label(),
            reason: self.reason.as_deref(),
            status: self.status.unwrap_or(0),
            bytes: self.bytes,
            upstream: handle
                .zip(self.server)
                .map(|(handle, server)| handle.upstream.name(server)),
            duration,
            upstream_duration: self.upstream_time,
            aborted: self.aborted,
            trace_id: self.trace.as_deref().map(Traced::id),
        };
        if self.pinned.snapshot.access_log {
            self.worker.log.write(&line);
        }
        if self.outcome.is_denial() {
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
        let rule = self.rule.map(|rule| rule.0);
        self.metrics()
            .record(rule, self.outcome, self.status.unwrap_or(0), duration);
        if self.pinned.snapshot.access_log || self.outcome.is_denial() {
            self.write_line(duration);
        }
        if let Some(traced) = self.trace.take()
            && traced.is_recorded()
        {
            traced.end(&self.server_span(traced.error));
        }
    }
}
