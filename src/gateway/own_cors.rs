//! Which pages of other origins may call the gateway's own endpoints: those that `auth.cors` names, and those that a
//! service names on whose host they are asked.

use bytes::Bytes;
use http::Response;

use crate::access::HostPattern;
use crate::config;
use crate::wire::{Answered, Cors, Intake};

/// The `cors` blocks of one load, as far as the gateway's own endpoints are concerned.
pub(super) struct OwnCors {
    everywhere: Option<Cors>,
    services: Vec<(Vec<HostPattern>, Option<Cors>)>,
}

/// The block that counts for a request, with its verdict on the origin.
pub(super) struct OwnCorsVerdict<'s> {
    cors: &'s Cors,
    verdict: Answered,
}

impl OwnCors {
    pub(super) fn new(everywhere: Option<&Cors>, services: &[config::Service]) -> Self {
        let own = |cors: Option<&Cors>| cors.map(Cors::for_own_endpoints);
        Self {
            everywhere: own(everywhere),
            services: services
                .iter()
                .map(|service| (service.hosts.clone(), own(service.cors.as_ref())))
                .collect(),
        }
    }

    /// The blocks that count for a host: where several services could answer for it, those that name it most exactly.
    fn of_host(&self, host: &str) -> impl Iterator<Item = &Cors> {
        let closest = self
            .services
            .iter()
            .filter_map(|(hosts, _)| closeness(hosts, host))
            .max();
        let of_services = self
            .services
            .iter()
            .filter(move |(hosts, _)| closest.is_some() && closeness(hosts, host) == closest)
            .filter_map(|(_, cors)| cors.as_ref());
        self.everywhere.iter().chain(of_services)
    }

    /// The verdict on the request's origin; `None` where no block counts for its host. Of several blocks the one counts
    /// that allows most.
    pub(super) fn judge(&self, intake: &Intake) -> Option<OwnCorsVerdict<'_>> {
        let headers = &intake.head.headers;
        let verdicts = self.of_host(intake.host.name()).map(|cors| OwnCorsVerdict {
            cors,
            verdict: cors.judge(headers),
        });
        verdicts.max_by_key(|found| {
            let allowed = found.verdict.is_allowed();
            (allowed, allowed && found.cors.credentials)
        })
    }
}

/// How exactly hosts name this one; `None` where they do not. A service without hosts answers for every host.
fn closeness(hosts: &[HostPattern], host: &str) -> Option<usize> {
    if hosts.is_empty() {
        return Some(0);
    }
    let covering = hosts.iter().filter(|pattern| pattern.covers(host));
    covering
        .map(|pattern| pattern.parent().map_or(usize::MAX, str::len))
        .max()
}

impl OwnCorsVerdict<'_> {
    /// Whether the page may act by the browser's cookies.
    pub(super) fn lets_act(&self, intake: &Intake) -> bool {
        self.cors.lets_act(&intake.head.headers)
    }

    /// The answer to a preflight; `None` where the request is none.
    pub(super) fn preflight(&self, intake: &Intake) -> Option<Response<Bytes>> {
        let mut response = self.cors.preflight(&intake.head)?;
        self.apply(&mut response);
        Some(response)
    }

    /// Says in an answer what the browser may show the page.
    pub(super) fn apply(&self, response: &mut Response<Bytes>) {
        self.cors.apply(&self.verdict, response.headers_mut());
    }
}
