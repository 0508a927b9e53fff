//! The numbers of one worker.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::{Counter, Counters, Gauge, Level, OneWriter};
use super::labels::{ConnectionRejection, Label, TokenRefusal, UpstreamConnection};
use super::service::{RuleCells, ServerMetrics, ServiceCells, ServiceMetrics};

/// The `service` of the gateway's own endpoints. A service of the same name is counted together with them.
pub(super) const PORTAL: &str = "gatelatch";

/// An empty label is an absent one to Prometheus: no service, no rule. No name in a configuration is empty.
pub(super) const NONE: &str = "";

/// How many series owners a shard keeps before it looks for ones that no handle uses any more.
const SWEEP_AT: usize = 4096;

/// One worker's part of all numbers. Only that worker may count through it.
#[derive(Debug)]
pub struct Shard {
    cells: Arc<ShardCells>,
    writer: OneWriter,
}

/// What a scrape reads of a worker.
#[derive(Debug)]
pub(super) struct ShardCells {
    services: Mutex<Services>,
    pub(super) client_connections: Arc<Level>,
    pub(super) parked_connections: Arc<Level>,
    pub(super) tunnels: Arc<Level>,
    pub(super) upstream_connections: [Arc<Level>; 2],
    pub(super) rejections: Counters<ConnectionRejection>,
    pub(super) token_refusals: Counters<TokenRefusal>,
}

/// Cells by label, so that the same labels find the same cells after a reload.
#[derive(Debug)]
pub(super) struct Services {
    by_name: HashMap<Box<str>, ServiceEntry>,
    /// Services and rules in `by_name`.
    size: usize,
    sweep_at: usize,
}

#[derive(Debug)]
pub(super) struct ServiceEntry {
    pub(super) service: Arc<ServiceCells>,
    pub(super) rules: HashMap<Box<str>, Arc<RuleCells>>,
    /// Requests to each server.
    pub(super) servers: HashMap<Box<str>, Arc<Counter>>,
}

impl Shard {
    pub(super) fn new(cells: Arc<ShardCells>) -> Self {
        Self {
            cells,
            writer: PhantomData,
        }
    }

    /// The handle for a service and its rules, by their places in `rules`. It finds what was counted under the same
    /// names before, so counters go on after a reload. Rules of one name share a series.
    pub fn service(&self, service: &str, rules: &[&str]) -> ServiceMetrics {
        self.cells.services().resolve(service, rules)
    }

    /// The handle for a server of a service's upstream. It finds what was counted under the same names before.
    pub fn server(&self, service: &str, server: &str) -> ServerMetrics {
        self.cells.services().resolve_server(service, server)
    }

    /// The handle for requests that reach no service: malformed, or for a host or path without a service.
    /// Their `service` label is empty.
    pub fn unrouted(&self) -> ServiceMetrics {
        self.service(NONE, &[])
    }

    /// The handle for the gateway's own endpoints, `service="gatelatch"`.
    pub fn portal(&self) -> ServiceMetrics {
        self.service(PORTAL, &[])
    }

    /// The gauge of open client connections.
    pub fn client_connections(&self) -> Gauge {
        Gauge::new(&self.cells.client_connections)
    }

    /// The gauge of parked client connections, which have no buffers.
    pub fn parked_connections(&self) -> Gauge {
        Gauge::new(&self.cells.parked_connections)
    }

    /// The gauge of upgraded connections that are open.
    pub fn tunnels(&self) -> Gauge {
        Gauge::new(&self.cells.tunnels)
    }

    /// The gauge of upstream connections in one state.
    pub fn upstream_connections(&self, state: UpstreamConnection) -> Gauge {
        Gauge::new(&self.cells.upstream_connections[state.index()])
    }

    /// Counts one client connection that was closed without an answer of a service.
    pub fn connection_rejected(&self, reason: ConnectionRejection) {
        self.cells.rejections.increment(reason);
    }

    /// Counts one token that was refused.
    pub fn token_refused(&self, reason: TokenRefusal) {
        self.cells.token_refusals.increment(reason);
    }
}

impl ShardCells {
    pub(super) fn new() -> Self {
        Self {
            services: Mutex::new(Services {
                by_name: HashMap::new(),
                size: 0,
                sweep_at: SWEEP_AT,
            }),
            client_connections: Arc::default(),
            parked_connections: Arc::default(),
            tunnels: Arc::default(),
            upstream_connections: Default::default(),
            rejections: Counters::new(),
            token_refusals: Counters::new(),
        }
    }

    /// Taken by loads and scrapes only.
    pub(super) fn services(&self) -> MutexGuard<'_, Services> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &ServiceEntry)> {
        self.by_name.iter().map(|(name, entry)| (&**name, entry))
    }

    fn resolve(&mut self, service: &str, rules: &[&str]) -> ServiceMetrics {
        if self.size >= self.sweep_at {
            self.sweep();
        }
        let entry = self.entry(service);
        let before = entry.rules.len();
        let handles = rules.iter().map(|rule| entry.rule(rule)).collect();
        let no_rule = entry.rule(NONE);
        let (service, more) = (Arc::clone(&entry.service), entry.rules.len() - before);
        self.size += more;
        ServiceMetrics::new(service, handles, no_rule)
    }

    fn resolve_server(&mut self, service: &str, server: &str) -> ServerMetrics {
        if self.size >= self.sweep_at {
            self.sweep();
        }
        let servers = &mut self.entry(service).servers;
        let before = servers.len();
        let handle = ServerMetrics::new(servers.entry(server.into()).or_default());
        self.size += self.by_name[service].servers.len() - before;
        handle
    }

    fn entry(&mut self, service: &str) -> &mut ServiceEntry {
        self.by_name.entry(service.into()).or_insert_with(|| {
            self.size += 1;
            ServiceEntry {
                service: Arc::new(ServiceCells::new()),
                rules: HashMap::new(),
                servers: HashMap::new(),
            }
        })
    }

    /// Forgets what no handle writes to: labels of former configurations, which would otherwise pile up over
    /// thousands of reloads. The next sweep waits until the size has doubled, so resolving stays cheap.
    fn sweep(&mut self) {
        self.by_name.retain(|_, entry| {
            entry.rules.retain(|_, cells| Arc::strong_count(cells) > 1);
            entry
                .servers
                .retain(|_, requests| Arc::strong_count(requests) > 1);
            Arc::strong_count(&entry.service) > 1
        });
        self.size = self
            .by_name
            .values()
            .map(|entry| 1 + entry.rules.len() + entry.servers.len())
            .sum();
        self.sweep_at = SWEEP_AT.max(2 * self.size);
    }
}

impl ServiceEntry {
    fn rule(&mut self, name: &str) -> Arc<RuleCells> {
        if let Some(cells) = self.rules.get(name) {
            return Arc::clone(cells);
        }
        Arc::clone(self.rules.entry(name.into()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_former_configurations_are_forgotten_in_the_end() {
        let cells = Arc::new(ShardCells::new());
        let shard = Shard::new(Arc::clone(&cells));
        let kept = shard.service("kept", &["rule"]);
        for reload in 0..3 * SWEEP_AT {
            let _ = shard.service(&format!("service {reload}"), &["rule"]);
        }
        assert!(cells.services().size <= SWEEP_AT + 3);
        assert!(cells.services().by_name.contains_key("kept"));
        drop(kept);
    }
}
