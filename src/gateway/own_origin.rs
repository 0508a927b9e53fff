//! Requests of pages of other origins for the gateway's own endpoints.

use bytes::Bytes;
use http::{Method, Response};

use super::facts::{RequestFacts, Route};
use super::own_cors::OwnCorsVerdict;
use super::rejection::Rejection;
use super::snapshot::{ServiceSnapshot, Snapshot};
use crate::portal::PortalEndpoint;
use crate::telemetry::metrics::RequestOutcome;
use crate::wire::{Destination, Intake, ResourceMetadata, Site, announced_method};

impl Snapshot {
    /// The verdict on a request for one of the gateway's own endpoints; `None` where no page of another origin may call
    /// it. It also says whether the page may act by the browser's cookies.
    pub(super) fn judge_own_origin(
        &self,
        endpoint: PortalEndpoint,
        intake: &mut Intake,
    ) -> Option<OwnCorsVerdict<'_>> {
        let is_open = self.portal.is_open_to_pages(endpoint, &intake.head);
        let found = self.own_cors.judge(intake).filter(|_| is_open);
        let may_act = found.as_ref().is_some_and(|found| found.lets_act(intake));
        intake.from_allowed_page = may_act;
        found
    }

    /// Refuses to lead to a provider and back on a host that is not one of the configuration: a name that somebody else has
    /// for this address must not become a redirect URI, however many a provider accepts. A host of the session's domain is
    /// one, as that of the sign-in page for other proxies.
    ///
    /// # Errors
    /// [`Rejection::NoService`].
    pub(super) fn check_host(
        &self,
        endpoint: PortalEndpoint,
        site: &Site,
    ) -> Result<(), Rejection> {
        let is_known =
            |name: &str| self.router.knows_host(name) || self.cookie.is_shared_with(name);
        let host = site.host_name();
        let is_of_provider = matches!(
            endpoint,
            PortalEndpoint::LoginWith | PortalEndpoint::Callback
        );
        if !is_of_provider || host.is_some_and(|host| is_known(host.name())) {
            Ok(())
        } else {
            Err(Rejection::NoService)
        }
    }

    /// The answer to a preflight for one of the gateway's own endpoints. Which one is asked for depends on the method
    /// that it announces: at a token path only `POST` is the gateway's.
    pub(super) fn answer_own_preflight(
        &self,
        intake: &Intake,
        facts: &mut RequestFacts,
    ) -> Option<Response<Bytes>> {
        let method: Method = announced_method(&intake.head)?;
        let (own, sent) = (self.portal.own_paths(), intake.head.uri.path());
        let found = own.resolve(&self.router, &method, intake.host.name(), sent);
        let Ok(Destination::Own(path)) = found else {
            return None;
        };
        let endpoint = self.portal.endpoint(&method, path.as_str());
        if !self.portal.is_open_to_pages(endpoint, &intake.head) {
            return None;
        }
        let response = self.own_cors.judge(intake)?.preflight(intake)?;
        facts.route = Route::Portal;
        facts.set_path(path.as_str());
        facts.outcome = RequestOutcome::Gateway;
        Some(response)
    }

    /// Where clients read which authorization servers a service of this site trusts; `None` where nothing is said of that.
    pub(super) fn metadata_url(&self, site: &Site, service: &ServiceSnapshot) -> Option<Box<str>> {
        let is_described = self.portal.own_paths().describes_resources;
        let url = is_described.then(|| ResourceMetadata::url(site, service.mount().source()));
        url.flatten().map(String::into_boxed_str)
    }

    /// Where the service is mounted that answers `GET` at this path of the host that a request is for.
    pub(super) fn mount_at(&self, intake: &Intake, path: &str) -> Option<String> {
        let (own, host) = (self.portal.own_paths(), intake.host.name());
        match own.resolve(&self.router, &Method::GET, host, path) {
            Ok(Destination::Service(found)) => {
                let mount = self.services[found.service()].mount();
                Some(mount.source().to_owned())
            }
            Ok(Destination::Own(_)) | Err(_) => None,
        }
    }
}
