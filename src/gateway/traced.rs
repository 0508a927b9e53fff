//! What a trace is told of a request that is over.

use std::sync::Arc;

use http::request::Parts;

use super::facts::Route;
use super::record::RequestRecord;
use super::snapshot::Snapshot;
use crate::ambient;
use crate::portal::PortalEndpoint;
use crate::telemetry::access_log::Aborted;
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

    /// Says all that is known.
    pub(super) fn end(&self, record: &RequestRecord) {
        if !self.trace.is_recorded() {
            return;
        }
        let service = record.service();
        let rule = service
            .zip(record.rule)
            .map(|(service, id)| service.policy.rule(id));
        let span = ServerSpan {
            ended: ambient::now(),
            method: &record.method,
            path: &record.path,
            route: rule
                .map(|rule| rule.pattern.source())
                .or_else(|| own_route(record)),
            host: &record.host,
            client: record.client,
            user: record.user.as_ref().map(|user| &*user.subject),
            service: service.map(|service| service.name.as_str()),
            rule: rule.map(|rule| &*rule.name),
            decision: record.outcome.label(),
            reason: record.reason.as_deref(),
            request_id: record.request_id.to_str().unwrap_or_default(),
            status: record.status,
            error: record.aborted.map(broken_off).or(self.error),
        };
        self.trace.end(&span, self.scheme.as_str());
    }
}

/// The gateway's own endpoints are few, and each is a route.
fn own_route(record: &RequestRecord) -> Option<&str> {
    match (
        record.route,
        record
            .snapshot()
            .portal
            .endpoint(&record.method, &record.path),
    ) {
        (Route::None | Route::Service(_), _) | (Route::Portal, PortalEndpoint::Unknown) => None,
        (
            Route::Portal,
            PortalEndpoint::Login
            | PortalEndpoint::Token
            | PortalEndpoint::Refresh
            | PortalEndpoint::Logout
            | PortalEndpoint::Me,
        )
        | (
            Route::Portal,
            PortalEndpoint::Keys
            | PortalEndpoint::Docs
            | PortalEndpoint::Asset(_)
            | PortalEndpoint::OpenApi,
        ) => Some(&record.path),
    }
}

fn broken_off(by: Aborted) -> &'static str {
    match by {
        Aborted::Client => "client_aborted",
        Aborted::Upstream => "upstream_aborted",
        Aborted::Gateway => "gateway_aborted",
    }
}
