//! The sum over all shards at one moment.

use std::collections::BTreeMap;

use super::histogram::Distribution;
use super::labels::{
    ByLabel, ConnectionRejection, FetchOutcome, Label, LoginOutcome, RefreshOutcome, ReloadOutcome,
    RequestOutcome, SecondFactorUse, StatusClass, TokenRefusal, UpstreamConnection,
    UpstreamErrorKind, read_all,
};
use super::providers::ProviderTotals;
use super::rate_table::RateTableLevel;
use super::server_level::ServerLevel;
use super::shard::{ServiceEntry, ShardCells};

/// All numbers of the process, sorted by label so that two scrapes list them alike.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) process_start: f64,
    pub(super) services: BTreeMap<Box<str>, ServiceTotals>,
    pub(super) client_connections: i64,
    pub(super) parked_connections: i64,
    pub(super) tunnels: i64,
    pub(super) upstream_connections: Vec<(UpstreamConnection, i64)>,
    pub(super) rejections: ByLabel<ConnectionRejection>,
    pub(super) token_refusals: ByLabel<TokenRefusal>,
    pub(super) logins: ByLabel<LoginOutcome>,
    pub(super) second_factors: ByLabel<SecondFactorUse>,
    pub(super) refreshes: ByLabel<RefreshOutcome>,
    pub(super) state_up: bool,
    pub(super) reloads: ByLabel<ReloadOutcome>,
    pub(super) fetches: BTreeMap<Box<str>, ByLabel<FetchOutcome>>,
    pub(super) providers: BTreeMap<Box<str>, ProviderTotals>,
    pub(super) provider_logins: BTreeMap<Box<str>, ByLabel<LoginOutcome>>,
    pub(super) last_reload_successful: bool,
    pub(super) last_success: u64,
    pub(super) keys: Vec<Box<str>>,
    pub(super) dropped_lines: u64,
    pub(super) exported_spans: u64,
    pub(super) dropped_spans: u64,
    /// Records of the audit stream, failed attempts to write, and what waits.
    pub(super) audit: [u64; 3],
    pub(super) servers: Vec<ServerLevel>,
    pub(super) rate_table: RateTableLevel,
}

/// All numbers of a service.
#[derive(Debug, Default)]
pub(super) struct ServiceTotals {
    /// By rule, then by outcome and status class.
    pub(super) requests: BTreeMap<Box<str>, BTreeMap<(&'static str, &'static str), u64>>,
    pub(super) durations: Distribution,
    pub(super) upstream_errors: ByLabel<UpstreamErrorKind>,
    /// Requests over a rate, by rule.
    pub(super) rate_limited: BTreeMap<Box<str>, u64>,
    /// Requests by server.
    pub(super) servers: BTreeMap<Box<str>, u64>,
}

impl Totals {
    pub(super) fn add(&mut self, shard: &ShardCells) {
        self.client_connections += shard.client_connections.read();
        self.parked_connections += shard.parked_connections.read();
        self.tunnels += shard.tunnels.read();
        for state in UpstreamConnection::ALL.iter().copied() {
            let level = &shard.upstream_connections[state.index()];
            let mut sums = self.upstream_connections.iter_mut();
            match sums.find(|(known, _)| *known == state) {
                Some((_, sum)) => *sum += level.read(),
                None => self.upstream_connections.push((state, level.read())),
            }
        }
        add_all(&mut self.rejections, |reason| shard.rejections.read(reason));
        add_all(&mut self.token_refusals, |reason| {
            shard.token_refusals.read(reason)
        });
        for (name, entry) in shard.services().iter() {
            self.services.entry(name.into()).or_default().add(entry);
        }
    }
}

impl ServiceTotals {
    fn add(&mut self, entry: &ServiceEntry) {
        self.durations.add(&entry.service.durations);
        add_all(&mut self.upstream_errors, |kind| {
            entry.service.upstream_errors.read(kind)
        });
        for (server, requests) in &entry.servers {
            *self.servers.entry(server.clone()).or_default() += requests.read();
        }
        for (rule, cells) in &entry.rules {
            for (outcome, class, count) in cells.counts() {
                self.count(rule, outcome, class, count);
            }
            let limited = cells.rate_limited();
            if limited > 0 {
                *self.rate_limited.entry(rule.clone()).or_default() += limited;
            }
        }
    }

    /// Whether the service has an upstream that ever failed; the gateway's own endpoints have none.
    pub(super) fn has_upstream_errors(&self) -> bool {
        self.upstream_errors.iter().any(|(_, count)| *count > 0)
    }

    fn count(&mut self, rule: &str, outcome: RequestOutcome, class: StatusClass, count: u64) {
        let key = (outcome.text(), class.text());
        match self.requests.get_mut(rule) {
            Some(counts) => *counts.entry(key).or_default() += count,
            None => drop(
                self.requests
                    .insert(rule.into(), BTreeMap::from([(key, count)])),
            ),
        }
    }
}

fn add_all<L: Label>(sums: &mut ByLabel<L>, read: impl Fn(L) -> u64) {
    if sums.is_empty() {
        *sums = read_all(read);
    } else {
        sums.iter_mut()
            .for_each(|(label, sum)| *sum += read(*label));
    }
}
