//! Counters: one shard a worker, merged when somebody asks.
//!
//! A worker counts through handles made when the configuration was loaded, into cells that no other worker writes to:
//! no name is looked up, no cache line is shared, no locked instruction is needed. All labels come from the
//! configuration or from closed sets, never from a client.

mod cell;
mod encode;
mod histogram;
mod hits;
mod labels;
mod providers;
mod rate_table;
mod server_level;
mod service;
mod shard;
mod sums;
mod totals;

pub use cell::{Gauge, GaugeGuard};
pub use encode::CONTENT_TYPE;
pub use histogram::quantile;
pub use hits::{HitCounts, RuleHits};
pub use labels::{
    ConnectionRejection, FetchOutcome, LoginOutcome, ProviderResult, RefreshOutcome, ReloadOutcome,
    RequestOutcome, SecondFactorUse, StatusClass, TokenRefusal, UpstreamConnection,
    UpstreamErrorKind,
};
pub use rate_table::{RateTableLevel, RateTableLevels};
pub use server_level::{ServerLevel, ServerLevels};
pub use service::{ServerMetrics, ServiceMetrics};
pub use shard::Shard;
pub use sums::{LOGINS, Latency, OUTCOMES, Sums};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::cell::SharedCounters;
use self::providers::ProviderCounters;
use self::shard::ShardCells;
use self::totals::Totals;
use super::access_log::Dropped;
use super::audit::AuditCounts;
use super::traces::SpanCounts;
use crate::ambient;

/// Everything the process counts.
pub struct Metrics {
    started: SystemTime,
    shards: Mutex<Vec<Arc<ShardCells>>>,
    logins: SharedCounters<LoginOutcome>,
    second_factors: SharedCounters<SecondFactorUse>,
    reloads: SharedCounters<ReloadOutcome>,
    /// By issuer: they come from the configuration, and are few.
    fetches: Mutex<BTreeMap<Box<str>, SharedCounters<FetchOutcome>>>,
    providers: ProviderCounters,
    /// By provider, as above.
    provider_logins: Mutex<BTreeMap<Box<str>, SharedCounters<LoginOutcome>>>,
    last_reload_successful: AtomicBool,
    /// In seconds since 1970; 0 before the first.
    last_success: AtomicU64,
    /// The names of the keys for tokens, the one that signs first.
    keys: Mutex<Vec<Box<str>>>,
    access_log: OnceLock<Dropped>,
    spans: OnceLock<SpanCounts>,
    audit: OnceLock<AuditCounts>,
    refreshes: SharedCounters<RefreshOutcome>,
    state_up: AtomicBool,
    servers: OnceLock<ServerLevels>,
    rate_table: OnceLock<RateTableLevels>,
}

impl Metrics {
    /// Nothing counted, no configuration loaded, started now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            started: ambient::wall_clock(),
            shards: Mutex::default(),
            logins: SharedCounters::new(),
            second_factors: SharedCounters::new(),
            reloads: SharedCounters::new(),
            fetches: Mutex::default(),
            providers: ProviderCounters::default(),
            provider_logins: Mutex::default(),
            last_reload_successful: AtomicBool::new(false),
            last_success: AtomicU64::new(0),
            keys: Mutex::default(),
            access_log: OnceLock::new(),
            spans: OnceLock::new(),
            audit: OnceLock::new(),
            servers: OnceLock::new(),
            rate_table: OnceLock::new(),
            refreshes: SharedCounters::new(),
            state_up: AtomicBool::new(true),
        })
    }

    /// A shard for one worker. What it counted stays when it is dropped.
    pub fn shard(&self) -> Shard {
        let cells = Arc::new(ShardCells::new());
        self.shards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&cells));
        Shard::new(cells)
    }

    /// When the process started, in seconds since 1970.
    pub fn started(&self) -> u64 {
        self.started
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs()
    }

    /// Counts one login.
    pub fn login(&self, outcome: LoginOutcome) {
        self.logins.increment(outcome);
    }

    /// Counts a second factor that was shown.
    pub fn second_factor(&self, shown: SecondFactorUse) {
        self.second_factors.increment(shown);
    }

    /// Counts one login with an OpenID provider, among all logins too.
    pub fn provider_login(&self, provider: &str, outcome: LoginOutcome) {
        self.login(outcome);
        let logins = &self.provider_logins;
        let mut by_name = logins.lock().unwrap_or_else(PoisonError::into_inner);
        match by_name.get(provider) {
            Some(counters) => counters.increment(outcome),
            None => by_name
                .entry(provider.into())
                .or_insert_with(SharedCounters::new)
                .increment(outcome),
        }
    }

    /// Counts one refresh.
    pub fn refresh(&self, outcome: RefreshOutcome) {
        self.refreshes.increment(outcome);
    }

    /// Says whether the state store can be used; at the start it can.
    pub fn state_is_up(&self, up: bool) {
        self.state_up.store(up, Ordering::Relaxed);
    }

    /// Counts one question to a provider of identities, such as a bind, and shows whether it answers.
    pub fn provider_asked(&self, provider: &str, operation: &'static str, result: ProviderResult) {
        self.providers.count(provider, operation, result);
    }

    /// Counts one fetch of another issuer's keys.
    pub fn jwks_fetched(&self, issuer: &str, outcome: FetchOutcome) {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        match fetches.get(issuer) {
            Some(counters) => counters.increment(outcome),
            None => fetches
                .entry(issuer.into())
                .or_insert_with(SharedCounters::new)
                .increment(outcome),
        }
    }

    /// Says that the configuration of the start is in force, `at` seconds since 1970. It is no reload.
    pub fn configuration_loaded(&self, at: u64) {
        self.last_success.store(at, Ordering::Relaxed);
        self.last_reload_successful.store(true, Ordering::Relaxed);
    }

    /// Shows by which names the keys for tokens go, the one that signs first. No name says anything about a secret.
    pub fn show_keys<'n>(&self, names: impl Iterator<Item = &'n str>) {
        let names = names.map(Box::from).collect();
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Counts one reload that ended `at` seconds since 1970.
    pub fn reload(&self, outcome: ReloadOutcome, at: u64) {
        self.reloads.increment(outcome);
        match outcome {
            ReloadOutcome::Applied | ReloadOutcome::Unchanged => self.configuration_loaded(at),
            ReloadOutcome::Refused => self.last_reload_successful.store(false, Ordering::Relaxed),
        }
    }

    /// Shows how many lines an access log dropped. There is one access log a process: a second is not shown.
    pub fn show_dropped(&self, dropped: Dropped) {
        // a process that starts two logs keeps the figure of its first
        let _ = self.access_log.set(dropped);
    }

    /// Registers the source of the span counters. Only the first call has an effect.
    pub fn show_spans(&self, counts: SpanCounts) {
        // a process has one place for its traces
        let _ = self.spans.set(counts);
    }

    /// Registers the source of the audit counters. Only the first call has an effect.
    pub fn show_audit(&self, counts: AuditCounts) {
        // a process has one stream
        let _ = self.audit.set(counts);
    }

    /// Registers the source of the server gauges. Only the first call has an effect.
    pub fn show_servers(&self, levels: ServerLevels) {
        // a process has one fleet
        let _ = self.servers.set(levels);
    }

    /// Registers the source of the gauges of rates. Only the first call has an effect.
    pub fn show_rate_table(&self, levels: RateTableLevels) {
        // a process has one table
        let _ = self.rate_table.set(levels);
    }

    /// All numbers as OpenMetrics 1.0 text, to be sent as [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        encode::encode(&self.totals())
    }

    fn fetches(&self) -> BTreeMap<Box<str>, labels::ByLabel<FetchOutcome>> {
        let fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |counters: &SharedCounters<FetchOutcome>| {
            labels::read_all(|outcome| counters.read(outcome))
        };
        fetches
            .iter()
            .map(|(issuer, counters)| (issuer.clone(), read(counters)))
            .collect()
    }

    fn provider_logins(&self) -> BTreeMap<Box<str>, labels::ByLabel<LoginOutcome>> {
        let logins = &self.provider_logins;
        let by_name = logins.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |counters: &SharedCounters<LoginOutcome>| {
            labels::read_all(|outcome| counters.read(outcome))
        };
        by_name
            .iter()
            .map(|(name, counters)| (name.clone(), read(counters)))
            .collect()
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals {
            process_start: self
                .started
                .duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO)
                .as_secs_f64(),
            logins: labels::read_all(|outcome| self.logins.read(outcome)),
            second_factors: labels::read_all(|shown| self.second_factors.read(shown)),
            refreshes: labels::read_all(|outcome| self.refreshes.read(outcome)),
            state_up: self.state_up.load(Ordering::Relaxed),
            reloads: labels::read_all(|outcome| self.reloads.read(outcome)),
            fetches: self.fetches(),
            providers: self.providers.totals(),
            provider_logins: self.provider_logins(),
            last_reload_successful: self.last_reload_successful.load(Ordering::Relaxed),
            last_success: self.last_success.load(Ordering::Relaxed),
            keys: self
                .keys
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            dropped_lines: self.access_log.get().map_or(0, Dropped::lines),
            exported_spans: self.spans.get().map_or(0, SpanCounts::exported),
            dropped_spans: self.spans.get().map_or(0, SpanCounts::dropped),
            audit: self
                .audit
                .get()
                .map(|counts| [counts.records(), counts.errors(), counts.queued()])
                .unwrap_or_default(),
            servers: self
                .servers
                .get()
                .map(|levels| levels())
                .unwrap_or_default(),
            rate_table: self
                .rate_table
                .get()
                .map(|levels| levels())
                .unwrap_or_default(),
            ..Totals::default()
        };
        self.for_each_shard(|shard| totals.add(shard));
        totals
    }

    fn for_each_shard(&self, mut read: impl FnMut(&ShardCells)) {
        self.shards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .for_each(|shard| read(shard));
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
