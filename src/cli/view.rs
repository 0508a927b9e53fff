//! A configuration as the review of whole configurations sees it.

use crate::config::{Config, Service};
use crate::review::{OwnPaths, Side, SideService};

/// The configuration; `known_as` gives the name by which a service is compared.
pub(super) fn side<'a>(config: &'a Config, known_as: impl Fn(&'a Service) -> &'a str) -> Side<'a> {
    let service = |service: &'a Service| SideService {
        name: &service.name,
        known_as: known_as(service),
        hosts: &service.hosts,
        mount: &service.mount,
        strip_path: service.strip_path,
        paths: service.paths,
        policy: &service.policy,
    };
    Side {
        router: &config.router,
        services: config.services.iter().map(service).collect(),
        own: OwnPaths { prefix: &config.auth.path, token_paths: &config.auth.token_paths },
    }
}

/// Where a rule stands: `gateway.yaml:14:9`.
pub(super) fn place(service: &Service, rule: crate::access::RuleId) -> String {
    service
        .origins
        .get(rule.0 as usize)
        .map_or_else(String::new, |origin| format!("{}:{}:{}", origin.file.display(), origin.line, origin.column))
}
