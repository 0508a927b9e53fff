//! One configuration as a request meets it: from host, path and method to the rule that decides.

use std::borrow::Cow;
use std::collections::BTreeSet;

use http::Method;

use super::unused_names::fold;
use crate::access::{
    HostPattern, Mount, NoDestination, PathOptions, Policy, RequestPath, Router, RuleId, Segment,
};
use crate::wire::{Destination, OwnPaths};

/// One configuration.
#[derive(Debug)]
pub struct ConfigurationView<'a> {
    /// Finds a service; its indices are those of `services`.
    pub router: &'a Router,
    /// The services, in the order of the file.
    pub services: Vec<ServicePolicyView<'a>>,
    /// The paths of the gateway's own endpoints, which take precedence over every rule.
    pub own: &'a OwnPaths,
}

/// What decides a request to one service.
#[derive(Clone, Copy, Debug)]
pub struct ServicePolicyView<'a> {
    /// Its key in the file.
    pub name: &'a str,
    /// The name that identifies it in a comparison: services of two configurations with the same one are the same.
    pub known_as: &'a str,
    /// Its hosts; empty: any host.
    pub hosts: &'a [HostPattern],
    /// Its mount.
    pub mount: &'a Mount,
    /// Whether the mount is removed before forwarding.
    pub strip_path: bool,
    /// What it accepts in a path.
    pub paths: PathOptions,
    /// Its rules.
    pub policy: &'a Policy,
}

/// The destination of a path, whatever the method.
#[derive(Debug)]
pub(super) enum RoutedPath {
    /// The gateway itself.
    Own,
    /// No service: 404.
    NoService(RequestPath),
    /// The path is refused: 400.
    Refused,
    /// The service of this index, with its own reading of the path.
    Service(usize, RequestPath),
}

/// What decides a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecisionSource {
    /// This rule of the service of this index.
    Rule(usize, RuleId),
    /// No rule of the service of this index: forbidden.
    NoRule(usize),
    /// The gateway's own endpoint: not forwarded.
    Own,
    /// No service: 404.
    NoService,
    /// The path is refused: 400.
    Refused,
}

impl ConfigurationView<'_> {
    /// Routes a path as the gateway routes that of a request.
    pub(super) fn route(&self, host: &str, raw: &str) -> RoutedPath {
        match self.own.resolve(self.router, &Method::GET, host, raw) {
            Ok(Destination::Own(_)) => RoutedPath::Own,
            Ok(Destination::Service(found)) => {
                RoutedPath::Service(found.service(), found.into_path())
            }
            Err(NoDestination::NoService(path)) => RoutedPath::NoService(path),
            Err(NoDestination::Path(_) | NoDestination::ServicePath(..)) => RoutedPath::Refused,
        }
    }

    /// What decides a request with this method for a routed path.
    pub(super) fn source(&self, routed: &RoutedPath, method: &Method) -> DecisionSource {
        match routed {
            RoutedPath::Own => DecisionSource::Own,
            RoutedPath::Refused => DecisionSource::Refused,
            RoutedPath::NoService(path) | RoutedPath::Service(_, path)
                if self.own.is_token_path(method, path.as_str()) =>
            {
                DecisionSource::Own
            }
            RoutedPath::NoService(_) => DecisionSource::NoService,
            RoutedPath::Service(index, path) => {
                match self.services[*index].policy.find(method, path) {
                    Some(rule) => DecisionSource::Rule(*index, rule),
                    None => DecisionSource::NoRule(*index),
                }
            }
        }
    }

    /// Whether the gateway itself answers there, whatever the method: for `GET`, token paths do not count.
    pub(super) fn is_own_path(&self, path: &str) -> bool {
        self.own.holds(&Method::GET, path)
    }

    /// Whether the gateway itself answers a `POST` to this exact path.
    pub(super) fn is_token_path(&self, path: &str) -> bool {
        self.own.is_token_path(&Method::POST, path)
    }

    /// The token paths, and the prefixes of all other endpoints of the gateway.
    pub(super) fn own_paths(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let token_paths = self.own.token_paths.iter().map(String::as_str);
        let borrowed = token_paths.chain(self.own.prefixes()).map(Cow::Borrowed);
        borrowed.chain(self.own.exact().map(Cow::Owned))
    }

    /// Every text that a host label or a path segment is compared with; folded.
    pub(super) fn texts(&self) -> BTreeSet<Box<str>> {
        let mut texts: BTreeSet<Box<str>> = BTreeSet::new();
        for path in self.own_paths() {
            texts.extend(path.split('/').map(fold));
        }
        for service in &self.services {
            for host in service.hosts {
                texts.extend(host.to_string().split('.').map(fold));
            }
            texts.extend(service.mount.segments().map(fold));
            let patterns = service.policy.rules().iter().map(|rule| &rule.pattern);
            for segment in patterns.flat_map(|pattern| pattern.segments()) {
                if let Segment::Literal(text) = segment {
                    texts.insert(fold(text));
                }
            }
        }
        texts
    }
}

impl DecisionSource {
    /// The service whose rules apply.
    pub fn service(self) -> Option<usize> {
        match self {
            Self::Rule(service, _) | Self::NoRule(service) => Some(service),
            Self::Own | Self::NoService | Self::Refused => None,
        }
    }
}
