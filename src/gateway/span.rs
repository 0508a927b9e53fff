//! The span of a request that has ended.

use super::facts::Route;
use super::record::RequestRecord;
use crate::ambient;
use crate::portal::PortalEndpoint;
use crate::telemetry::access_log::Aborted;
use crate::telemetry::traces::ServerSpan;
use crate::wire::RESOURCE_PATH;

impl RequestRecord {
    /// The span of this request. `error` is the reason why there is no answer of the upstream.
    pub(super) fn server_span(&self, error: Option<&'static str>) -> ServerSpan<'_> {
        let service = self.service();
        let rule = service
            .zip(self.facts.rule)
            .map(|(service, id)| service.policy.rule(id));
        ServerSpan {
            ended: ambient::now(),
            method: &self.facts.method,
            path: &self.facts.path,
            route: rule
                .map(|rule| rule.pattern.source())
                .or_else(|| own_route(self)),
            host: &self.facts.host,
            client: self.facts.client,
            user: self.facts.user.as_ref().map(|user| &*user.subject),
            service: service.map(|service| service.name.as_str()),
            rule: rule.map(|rule| &*rule.name),
            decision: self.facts.outcome.label(),
            reason: self.facts.reason.as_deref(),
            request_id: self.facts.request_id.to_str().unwrap_or_default(),
            status: self.status,
            error: self.aborted.map(broken_off).or(error),
        }
    }
}

/// The gateway's own endpoints are few, and each is a route.
fn own_route(record: &RequestRecord) -> Option<&str> {
    match (
        record.facts.route,
        record
            .snapshot()
            .portal
            .endpoint(&record.facts.method, &record.facts.path),
    ) {
        (Route::None | Route::Service(_), _) | (Route::Portal, PortalEndpoint::Unknown) => None,
        (
            Route::Portal,
            PortalEndpoint::Login
            | PortalEndpoint::Token
            | PortalEndpoint::Refresh
            | PortalEndpoint::Logout
            | PortalEndpoint::Me
            | PortalEndpoint::Account,
        )
        | (
            Route::Portal,
            PortalEndpoint::Keys
            | PortalEndpoint::Introspect
            | PortalEndpoint::Revoke
            | PortalEndpoint::ServerMetadata
            | PortalEndpoint::Docs
            | PortalEndpoint::Asset(_)
            | PortalEndpoint::Passkey(_)
            | PortalEndpoint::OpenApi,
        ) => Some(&record.facts.path),
        // clients may name any path behind it
        (Route::Portal, PortalEndpoint::ResourceMetadata) => Some(RESOURCE_PATH),
        // clients may name any provider
        (
            Route::Portal,
            PortalEndpoint::LoginWith | PortalEndpoint::Callback | PortalEndpoint::Backchannel,
        ) => {
            let path = &*record.facts.path;
            Some(path).filter(|path| record.snapshot().portal.is_of_provider(path))
        }
    }
}

fn broken_off(by: Aborted) -> &'static str {
    match by {
        Aborted::Client => "client_aborted",
        Aborted::Upstream => "upstream_aborted",
        Aborted::Gateway => "gateway_aborted",
    }
}
