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
    RequestOutcome, StatusClass, TokenRefusal, UpstreamConnection, UpstreamErrorKind,
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

    fn fetches(&self) -> BTreeMap<Box<str>, totals::ByLabel<FetchOutcome>> {
        let fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |counters: &SharedCounters<FetchOutcome>| {
            totals::read_all(|outcome| counters.read(outcome))
        };
        fetches
            .iter()
            .map(|(issuer, counters)| (issuer.clone(), read(counters)))
            .collect()
    }

    fn provider_logins(&self) -> BTreeMap<Box<str>, totals::ByLabel<LoginOutcome>> {
        let logins = &self.provider_logins;
        let by_name = logins.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |counters: &SharedCounters<LoginOutcome>| {
            totals::read_all(|outcome| counters.read(outcome))
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
            logins: totals::read_all(|outcome| self.logins.read(outcome)),
            refreshes: totals::read_all(|outcome| self.refreshes.read(outcome)),
            state_up: self.state_up.load(Ordering::Relaxed),
            reloads: totals::read_all(|outcome| self.reloads.read(outcome)),
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
mod tests {
    use super::*;

    fn lines_of(metrics: &Metrics, family: &str) -> Vec<String> {
        let text = metrics.encode();
        text.lines()
            .filter(|line| line.starts_with(family))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn shards_are_added_up() {
        let metrics = Metrics::new();
        for worker in 1..=2 {
            let shard = metrics.shard();
            let jobs = shard.service("jobs", &["GET /jobs", "say \"hi\""]);
            for _ in 0..worker {
                jobs.record(
                    Some(0),
                    RequestOutcome::Allowed,
                    200,
                    Duration::from_millis(2),
                );
            }
            jobs.record(Some(1), RequestOutcome::Forbidden, 403, Duration::ZERO);
            jobs.record(None, RequestOutcome::Forbidden, 403, Duration::ZERO);
            shard
                .unrouted()
                .record(None, RequestOutcome::NotFound, 404, Duration::ZERO);
            shard
                .portal()
                .record(None, RequestOutcome::Gateway, 0, Duration::from_secs(60));
        }
        let expected = [
            r#"gatelatch_requests_total{service="",rule="",decision="not_found",status="4xx"} 2"#,
            r#"gatelatch_requests_total{service="gatelatch",rule="",decision="gateway",status="none"} 2"#,
            r#"gatelatch_requests_total{service="jobs",rule="",decision="forbidden",status="4xx"} 2"#,
            r#"gatelatch_requests_total{service="jobs",rule="GET /jobs",decision="allowed",status="2xx"} 3"#,
            r#"gatelatch_requests_total{service="jobs",rule="say \"hi\"",decision="forbidden",status="4xx"} 2"#,
        ];
        assert_eq!(lines_of(&metrics, "gatelatch_requests_total"), expected);
        let sums = lines_of(
            &metrics,
            "gatelatch_request_duration_seconds_sum{service=\"jobs\"",
        );
        assert_eq!(
            sums,
            [r#"gatelatch_request_duration_seconds_sum{service="jobs"} 0.006"#]
        );
    }

    #[test]
    fn counters_survive_a_reload() {
        let metrics = Metrics::new();
        let shard = metrics.shard();
        let before = shard.service("jobs", &["a", "b"]);
        before.record(Some(1), RequestOutcome::Allowed, 200, Duration::ZERO);
        let after = shard.service("jobs", &["b"]);
        after.record(Some(0), RequestOutcome::Allowed, 200, Duration::ZERO);
        before.record(Some(1), RequestOutcome::Allowed, 200, Duration::ZERO);
        let expected = r#"gatelatch_requests_total{service="jobs",rule="b",decision="allowed",status="2xx"} 3"#;
        assert_eq!(lines_of(&metrics, "gatelatch_requests_total"), [expected]);
    }

    #[test]
    fn a_refused_reload_keeps_the_time_of_the_last_success() {
        let metrics = Metrics::new();
        let state = || lines_of(&metrics, "gatelatch_config_");
        metrics.configuration_loaded(1_000);
        metrics.reload(ReloadOutcome::Refused, 2_000);
        let timestamp = "gatelatch_config_last_reload_success_timestamp_seconds";
        assert_eq!(
            state(),
            [
                "gatelatch_config_last_reload_successful 0".to_owned(),
                format!("{timestamp} 1000")
            ]
        );
        metrics.reload(ReloadOutcome::Unchanged, 3_000);
        assert_eq!(
            state(),
            [
                "gatelatch_config_last_reload_successful 1".to_owned(),
                format!("{timestamp} 3000")
            ]
        );
    }

    #[test]
    fn every_family_is_there_before_the_first_request() {
        let metrics = Metrics::new();
        let _shard = metrics.shard();
        let text = metrics.encode();
        let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let expected = [
            "gatelatch_build info",
            "process_start_time_seconds gauge",
            "gatelatch_requests counter",
            "gatelatch_request_duration_seconds histogram",
            "gatelatch_rate_limited counter",
            "gatelatch_rate_buckets gauge",
            "gatelatch_rate_bucket_places gauge",
            "gatelatch_rate_shared_buckets counter",
            "gatelatch_upstream_errors counter",
            "gatelatch_upstream_connections gauge",
            "gatelatch_upstream_requests counter",
            "gatelatch_upstream_server_up gauge",
            "gatelatch_upstream_server_share gauge",
            "gatelatch_upstream_tls_failures counter",
            "gatelatch_client_connections gauge",
            "gatelatch_parked_connections gauge",
            "gatelatch_tunnels gauge",
            "gatelatch_rejected_connections counter",
            "gatelatch_access_log_dropped_lines counter",
            "gatelatch_trace_spans_exported counter",
            "gatelatch_trace_spans_dropped counter",
            "gatelatch_audit_records counter",
            "gatelatch_audit_write_errors counter",
            "gatelatch_audit_queued_records gauge",
            "gatelatch_logins counter",
            "gatelatch_refreshes counter",
            "gatelatch_state_up gauge",
            "gatelatch_token_refusals counter",
            "gatelatch_jwks_fetches counter",
            "gatelatch_provider_requests counter",
            "gatelatch_provider_up gauge",
            "gatelatch_reloads counter",
            "gatelatch_config_last_reload_successful gauge",
            "gatelatch_config_last_reload_success_timestamp_seconds gauge",
            "gatelatch_token_key gauge",
        ];
        assert_eq!(families.collect::<Vec<_>>(), expected);
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn a_family_is_written_as_openmetrics_says() {
        let metrics = Metrics::new();
        let shard = metrics.shard();
        let jobs = shard.service("a\\b\n\"c\"", &[]);
        jobs.record(
            None,
            RequestOutcome::Allowed,
            200,
            Duration::from_micros(1500),
        );
        jobs.record(None, RequestOutcome::Allowed, 200, Duration::from_secs(100));
        let name = "gatelatch_request_duration_seconds";
        let service = r#"service="a\\b\n\"c\"""#;
        let mut expected = vec![
            format!("# HELP {name} From the end of the request head to the end of the answer"),
            format!("# TYPE {name} histogram"),
            format!("# UNIT {name} seconds"),
            format!("{name}_sum{{{service}}} 100.0015"),
            format!("{name}_count{{{service}}} 2"),
        ];
        let bounds = [
            ("0.0005", 0),
            ("0.001", 0),
            ("0.0025", 1),
            ("0.005", 1),
            ("0.01", 1),
            ("0.025", 1),
            ("0.05", 1),
            ("0.1", 1),
            ("0.25", 1),
            ("0.5", 1),
            ("1.0", 1),
            ("2.5", 1),
            ("10.0", 1),
            ("30.0", 1),
            ("+Inf", 2),
        ];
        for (bound, count) in bounds {
            expected.push(format!("{name}_bucket{{le=\"{bound}\",{service}}} {count}"));
        }
        let text = metrics.encode();
        let written: Vec<_> = text.lines().filter(|line| line.contains(name)).collect();
        assert_eq!(written, expected);
    }

    #[test]
    fn gauges_and_rare_counters_are_shown() {
        let metrics = Metrics::new();
        let shard = metrics.shard();
        let _open = shard.client_connections().hold();
        let _idle = shard.upstream_connections(UpstreamConnection::Idle).hold();
        shard.connection_rejected(ConnectionRejection::Limit);
        shard.token_refused(TokenRefusal::Expired);
        shard
            .service("jobs", &[])
            .upstream_error(UpstreamErrorKind::Reset);
        metrics.login(LoginOutcome::Invalid);
        metrics.jwks_fetched("https://idp", FetchOutcome::Failure);
        metrics.provider_asked("ldap", "bind", ProviderResult::Refused);
        let text = metrics.encode();
        for line in [
            "gatelatch_client_connections 1",
            r#"gatelatch_upstream_connections{state="idle"} 1"#,
            r#"gatelatch_upstream_connections{state="active"} 0"#,
            r#"gatelatch_rejected_connections_total{reason="limit"} 1"#,
            r#"gatelatch_token_refusals_total{reason="expired"} 1"#,
            r#"gatelatch_upstream_errors_total{service="jobs",kind="reset"} 1"#,
            r#"gatelatch_logins_total{outcome="invalid"} 1"#,
            r#"gatelatch_jwks_fetches_total{issuer="https://idp",outcome="success"} 0"#,
            r#"gatelatch_jwks_fetches_total{issuer="https://idp",outcome="failure"} 1"#,
            r#"gatelatch_provider_requests_total{provider="ldap",operation="bind",result="refused"} 1"#,
            r#"gatelatch_provider_up{provider="ldap"} 1"#,
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line} is missing in\n{text}"
            );
        }
    }
}
