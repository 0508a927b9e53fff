//! One configuration as requests meet it: from host, path and method to the rule that decides.

use http::Method;

use crate::access::{HostPattern, Mount, PathOptions, Policy, RequestPath, Router, RuleId};
use crate::text::percent;

/// One configuration.
#[derive(Debug)]
pub struct Side<'a> {
    /// Finds a service; its indices are those of `services`.
    pub router: &'a Router,
    /// The services, in the order of the file.
    pub services: Vec<SideService<'a>>,
    /// What is never forwarded.
    pub own: OwnPaths<'a>,
}

/// What decides over a request to one service.
#[derive(Clone, Copy, Debug)]
pub struct SideService<'a> {
    /// Its key in the file.
    pub name: &'a str,
    /// The name that it is compared by: services of two configurations that have the same are the same service.
    pub known_as: &'a str,
    /// Its hosts; empty: any.
    pub hosts: &'a [HostPattern],
    /// Its mount.
    pub mount: &'a Mount,
    /// Whether the mount is taken off before forwarding.
    pub strip_path: bool,
    /// What its paths may hold.
    pub paths: PathOptions,
    /// Its rules.
    pub policy: &'a Policy,
}

/// The gateway's own endpoints, which come before every rule.
#[derive(Clone, Debug)]
pub struct OwnPaths<'a> {
    /// `auth.path`, and whatever else is the gateway's with all that lies under it.
    pub prefixes: Vec<&'a str>,
    /// `auth.token_paths`: these exact paths, for `POST` only.
    pub token_paths: &'a [String],
}

/// Where a path leads, whatever the method.
#[derive(Debug)]
pub(super) enum Arrival {
    /// To the gateway itself.
    Own,
    /// Nowhere: 404.
    NoService(RequestPath),
    /// It is refused with 400.
    Refused,
    /// To a service, which reads the path so.
    Service(usize, RequestPath),
}

/// What decides over a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Landing {
    /// This rule of this service.
    Rule(usize, RuleId),
    /// No rule of this service: forbidden.
    NoRule(usize),
    /// The gateway's own endpoint: not forwarded.
    Own,
    /// No service: 404.
    NoService,
    /// The path is refused: 400.
    Refused,
}

impl OwnPaths<'_> {
    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.token_paths
            .iter()
            .map(String::as_str)
            .chain(self.prefixes.iter().copied())
    }

    pub(super) fn hold_path(&self, path: &str) -> bool {
        let under = |prefix: &&str| path.strip_prefix(*prefix);
        self.prefixes
            .iter()
            .filter_map(under)
            .any(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn hold_request(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && self.token_paths.iter().any(|token_path| token_path == path)
    }
}

impl Side<'_> {
    /// Where a path leads, as a request finds it.
    pub(super) fn arrive(&self, host: &str, raw: &str, widest: PathOptions) -> Arrival {
        let Ok(path) = RequestPath::parse(raw, widest) else {
            return Arrival::Refused;
        };
        if self.own.hold_path(path.as_str()) {
            return Arrival::Own;
        }
        let Some(index) = self.router.find(host, &path) else {
            return Arrival::NoService(path);
        };
        match self.services[index].paths {
            own if own == widest => Arrival::Service(index, path),
            own => RequestPath::parse(raw, own)
                .map_or(Arrival::Refused, |path| Arrival::Service(index, path)),
        }
    }

    /// What decides over a request with this method.
    pub(super) fn land(&self, arrival: &Arrival, method: &Method) -> Landing {
        match arrival {
            Arrival::Own => Landing::Own,
            Arrival::Refused => Landing::Refused,
            Arrival::NoService(path) | Arrival::Service(_, path)
                if self.own.hold_request(method, path.as_str()) =>
            {
                Landing::Own
            }
            Arrival::NoService(_) => Landing::NoService,
            Arrival::Service(index, path) => {
                match self.services[*index].policy.find(method, path) {
                    Some(rule) => Landing::Rule(*index, rule),
                    None => Landing::NoRule(*index),
                }
            }
        }
    }

    /// What any service accepts in a path.
    pub(super) fn widest(&self) -> PathOptions {
        self.services
            .iter()
            .fold(PathOptions::default(), |all, service| {
                all.union(service.paths)
            })
    }
}

impl Landing {
    /// The service whose rules are asked.
    pub(super) fn service(self) -> Option<usize> {
        match self {
            Self::Rule(service, _) | Self::NoRule(service) => Some(service),
            Self::Own | Self::NoService | Self::Refused => None,
        }
    }
}

/// A segment as a client sends it: everything that has a meaning in a path is escaped.
pub(super) fn spell(segment: &str) -> String {
    let mut spelling = String::with_capacity(segment.len());
    percent::encode_into(&mut spelling, segment, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte)
    });
    spelling
}
