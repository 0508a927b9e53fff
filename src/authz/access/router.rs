//! Which service a request belongs to: the longest match over host, then path.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use super::case::CaseRule;
use super::host::{self, HostPattern, Kind};
use super::mount::Mount;
use super::path::{PathOptions, RequestPath};
use super::pattern::Segment;
use super::pattern_trie::PatternTrie;

mod resolve;

pub use resolve::{NoDestination, PathReading, ServicePath};

/// What the router needs to know of one service.
#[derive(Clone, Debug)]
pub struct RoutedService {
    /// Its hosts; empty: any host.
    pub hosts: Vec<HostPattern>,
    /// Its mount.
    pub mount: Mount,
    /// Whether letter case counts in its mount.
    pub case: CaseRule,
    /// What it accepts in a path.
    pub paths: PathOptions,
}

/// Two services that claim the same host and mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Index of the service written first.
    pub first: usize,
    /// Index of the one written later.
    pub second: usize,
}

/// Finds the service of a request.
#[derive(Debug, Default)]
pub struct Router {
    exact: HashMap<Box<str>, Mounts>,
    /// By the host above all those that the wildcard covers.
    below: HashMap<Box<str>, Mounts>,
    any: Mounts,
    has_any: bool,
    paths: Vec<PathOptions>,
    widest_paths: PathOptions,
}

/// The mounts of one host pattern.
#[derive(Debug)]
struct Mounts {
    sensitive: PatternTrie<Option<Mounted>>,
    insensitive: PatternTrie<Option<Mounted>>,
}

/// A service, and how many segments its mount has.
#[derive(Clone, Copy, Debug)]
struct Mounted {
    service: usize,
    depth: usize,
}

impl Router {
    /// Indexes the services. Every pair that claims the same host and mount is reported once.
    pub fn build(services: Vec<RoutedService>) -> Result<Self, Vec<Overlap>> {
        let overlaps = overlaps(&services);
        if !overlaps.is_empty() {
            return Err(overlaps);
        }
        let mut router = Self {
            has_any: services.iter().any(|service| service.hosts.is_empty()),
            paths: services.iter().map(|service| service.paths).collect(),
            ..Self::default()
        };
        router.widest_paths = router
            .paths
            .iter()
            .fold(PathOptions::default(), |all, paths| all.union(*paths));
        for (index, service) in services.iter().enumerate() {
            for host in hosts(service) {
                router.mounts(host).add(index, service);
            }
        }
        Ok(router)
    }

    /// The most that any service accepts in a path: what is parsed before the service is known.
    pub fn widest_paths(&self) -> PathOptions {
        self.widest_paths
    }

    fn mounts(&mut self, host: Option<&Kind>) -> &mut Mounts {
        match host {
            Some(Kind::Exact(host)) => self.exact.entry(host.clone()).or_default(),
            Some(Kind::Below(parent)) => self.below.entry(parent.clone()).or_default(),
            None => &mut self.any,
        }
    }

    /// The index of the service for this host (lower-case, without port and trailing dot) and path.
    ///
    /// An exact host comes before the longest wildcard, that before any host; where none of a host's mounts fits the
    /// path, the next host is asked. An IPv6 host may stand in brackets or not.
    pub fn find(&self, host: &str, path: &RequestPath) -> Option<usize> {
        self.find_exact(host, path)
            .or_else(|| self.find_below(host, path))
            .or_else(|| self.any.find(path))
    }

    /// Whether some service answers for this host (lower-case, without port and trailing dot), at whatever path.
    pub fn knows_host(&self, host: &str) -> bool {
        let address = host::ipv6(host).ok().flatten();
        let mut parents = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        self.has_any
            || self.exact.contains_key(address.as_deref().unwrap_or(host))
            || parents.any(|parent| self.below.contains_key(parent))
    }

    fn find_exact(&self, host: &str, path: &RequestPath) -> Option<usize> {
        if self.exact.is_empty() {
            return None;
        }
        let address = host::ipv6(host).ok().flatten();
        self.exact
            .get(address.as_deref().unwrap_or(host))?
            .find(path)
    }

    fn find_below(&self, host: &str, path: &RequestPath) -> Option<usize> {
        if self.below.is_empty() {
            return None;
        }
        let parents = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        parents
            .filter_map(|parent| self.below.get(parent))
            .find_map(|mounts| mounts.find(path))
    }
}

impl Mounts {
    fn add(&mut self, index: usize, service: &RoutedService) {
        let tree = match service.case {
            CaseRule::Sensitive => &mut self.sensitive,
            CaseRule::Insensitive => &mut self.insensitive,
        };
        let mut segments: Vec<_> = service
            .mount
            .segments()
            .map(|text| Segment::Literal(text.into()))
            .collect();
        let depth = segments.len();
        segments.push(Segment::Rest);
        *tree.leaf(&segments) = Some(Mounted {
            service: index,
            depth,
        });
    }

    fn find(&self, path: &RequestPath) -> Option<usize> {
        let sensitive = self.sensitive.find(path, |mounted| *mounted);
        let insensitive = self.insensitive.find(path, |mounted| *mounted);
        sensitive
            .into_iter()
            .chain(insensitive)
            .max_by_key(|mounted| mounted.depth)
            .map(|mounted| mounted.service)
    }
}

impl Default for Mounts {
    fn default() -> Self {
        Self {
            sensitive: PatternTrie::new(CaseRule::Sensitive),
            insensitive: PatternTrie::new(CaseRule::Insensitive),
        }
    }
}

/// The host patterns of a service; `None` for any host.
fn hosts(service: &RoutedService) -> impl Iterator<Item = Option<&Kind>> {
    let any = service.hosts.is_empty().then_some(None);
    any.into_iter()
        .chain(service.hosts.iter().map(|host| Some(host.kind())))
}

/// A host pattern and the folded segments of a mount.
type Claim<'a> = (Option<&'a Kind>, Vec<Cow<'a, str>>);

fn overlaps(services: &[RoutedService]) -> Vec<Overlap> {
    let mut earlier: HashMap<Claim<'_>, Vec<usize>> = HashMap::new();
    let mut overlaps = Vec::new();
    for (second, service) in services.iter().enumerate() {
        let folded: Vec<_> = service
            .mount
            .segments()
            .map(|text| CaseRule::Insensitive.fold(text.into()))
            .collect();
        for host in hosts(service) {
            let alike = earlier.entry((host, folded.clone())).or_default();
            let same = alike
                .iter()
                .filter(|first| overlap(&services[**first], service));
            overlaps.extend(same.map(|first| Overlap {
                first: *first,
                second,
            }));
            alike.push(second);
        }
    }
    // Two services may share several hosts; and one may name a host twice, which is no overlap.
    overlaps.retain(|pair| pair.first != pair.second);
    overlaps.sort_unstable_by_key(|pair| (pair.first, pair.second));
    overlaps.dedup();
    overlaps
}

/// Whether two mounts that are equal without regard to case are the same to one of the services.
fn overlap(first: &RoutedService, second: &RoutedService) -> bool {
    let folds = |service: &RoutedService| service.case == CaseRule::Insensitive;
    folds(first) || folds(second) || first.mount.segments().eq(second.mount.segments())
}
