//! What the steps find out about a request, for its record. A step sets what it finds, and no step reads it: what is
//! decided depends on values that the steps hand to each other.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method};

use super::rejection::Rejection;
use super::renewal::Renewal;
use super::seen::SeenRequest;
use super::traced::Traced;
use crate::access::{ClientAddress, Identity, Permit, RuleId};
use crate::identify::Identified;
use crate::rates::EnforcedLevels;
use crate::telemetry::metrics::RequestOutcome;
use crate::wire::{Answered, CacheRisk, Intake, Scheme};

/// The facts about a request that its record needs.
pub(super) struct RequestFacts {
    /// As sent.
    pub(super) method: Method,
    /// The peer until the head is read.
    pub(super) client: ClientAddress,
    /// That of a trusted proxy, else the gateway's own.
    pub(super) request_id: HeaderValue,
    /// Empty where it is missing or malformed.
    pub(super) host: Box<str>,
    /// The origin by which the client asks, for the URLs of an answer.
    pub(super) site: ClientSite,
    /// The path that is decided on; as sent where it is malformed.
    pub(super) path: Box<str>,
    pub(super) route: Route,
    pub(super) user: Option<Arc<Identity>>,
    pub(super) renewal: Option<Renewal>,
    pub(super) rule: Option<RuleId>,
    /// [`RequestOutcome::BadRequest`] until something else is found.
    pub(super) outcome: RequestOutcome,
    /// Why a denial is only reported.
    pub(super) reason: Option<String>,
    /// What a page of another origin may read of the response; only where the service has a `cors` block.
    pub(super) cors: Option<Answered>,
    /// What is left of the caller's rates; only where there are some.
    pub(super) levels: Option<EnforcedLevels>,
    /// Whether a shared cache could hand the answer to others.
    pub(super) cache_risk: Option<CacheRisk>,
    /// Whether another proxy describes the request over gRPC, where a denial is an answer like others.
    pub(super) over_grpc: bool,
    /// Only where a person sees the answer.
    pub(super) seen: Option<Box<SeenRequest>>,
    /// Only where requests are traced.
    pub(super) trace: Option<Box<Traced>>,
}

/// The origin by which a client asks. A share of the head's own bytes would keep all of them for as long as the answer takes.
pub(super) struct ClientSite {
    pub(super) scheme: Scheme,
    /// With its port; `None`: it is the host of the request.
    host: Option<Box<str>>,
    /// The `Host` of the request, with its port; `None`: it is that of the site.
    sent: Option<Box<str>>,
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Nobody: it was refused before a service was found.
    None,
    /// The gateway's own endpoints.
    Portal,
    /// The service of this index.
    Service(usize),
}

impl RequestFacts {
    /// Nothing is known yet but the id that the gateway gave the request, and its peer.
    pub(super) fn new(request_id: HeaderValue, client: ClientAddress) -> Self {
        Self {
            method: Method::GET,
            client,
            request_id,
            host: Box::default(),
            site: ClientSite {
                scheme: Scheme::Http,
                host: None,
                sent: None,
            },
            path: Box::default(),
            route: Route::None,
            user: None,
            renewal: None,
            rule: None,
            outcome: RequestOutcome::BadRequest,
            reason: None,
            cors: None,
            levels: None,
            cache_risk: None,
            over_grpc: false,
            seen: None,
            trace: None,
        }
    }

    pub(super) fn begin(&mut self, head: &Parts, trace: Option<Box<Traced>>) {
        self.method = head.method.clone();
        self.path = head.uri.path().into();
        self.seen = SeenRequest::of(head);
        self.trace = trace;
    }

    pub(super) fn receive(&mut self, intake: &Intake) {
        self.host = intake.host.name().into();
        self.site = ClientSite::of(intake);
        self.client = intake.client.address;
        if let Some(seen) = &mut self.seen {
            seen.receive(intake);
        }
        if let Some(traced) = &mut self.trace {
            traced.scheme = intake.site.scheme;
        }
        if let Some(id) = &intake.request_id {
            self.request_id = id.clone();
        }
    }

    /// The `host[:port]` that the client sees.
    pub(super) fn site_host(&self) -> &str {
        self.site.host.as_deref().unwrap_or(&self.host)
    }

    /// The `Host` that the client, or a proxy before the gateway, has sent.
    pub(super) fn sent_host(&self) -> &str {
        self.site.sent.as_deref().unwrap_or(self.site_host())
    }

    /// The OpenID provider that the user has signed in with.
    pub(super) fn provider(&self) -> Option<&str> {
        self.user.as_ref()?.provider.as_deref()
    }

    /// Most paths are sent in their one spelling.
    pub(super) fn set_path(&mut self, path: &str) {
        if *self.path != *path {
            self.path = path.into();
        }
    }

    pub(super) fn identify(&mut self, identified: &Identified) {
        self.user = identified.caller.subject().identity().cloned();
    }

    /// `reported` is the rejection that the mode only reports.
    pub(super) fn permit(&mut self, permit: &Permit<'_>, reported: Option<&Rejection>) {
        self.rule = permit.rule();
        self.outcome = RequestOutcome::Allowed;
        self.reason = None;
        if let Some(denial) = reported {
            self.report(denial);
        }
    }

    /// Of a request that is forwarded: a rejection that the mode only reports. The first one counts.
    pub(super) fn report(&mut self, denial: &Rejection) {
        if self.outcome != RequestOutcome::Reported {
            let status = denial.status().as_u16();
            self.outcome = RequestOutcome::Reported;
            self.reason = Some(format!("would be {status}: {}", denial.reason()));
        }
    }
}

impl ClientSite {
    fn of(intake: &Intake) -> Self {
        let text = |field: &HeaderValue| field.to_str().unwrap_or_default().into();
        let (site, sent) = (&intake.site.host, intake.host.field());
        Self {
            scheme: intake.site.scheme,
            host: (site != intake.host.name()).then(|| text(site)),
            sent: (site != sent).then(|| text(sent)),
        }
    }
}
