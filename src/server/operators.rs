//! The admin listener's thread, and what it is shown.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

use tokio::runtime::Builder;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::admin::{
    self, AdminState, ConfigurationLoad, InForce, Loads, Readiness, ReadinessCheck,
};
use crate::ambient;
use crate::config::{Config, Loaded, ServiceView};
use crate::gateway::{CurrentSnapshot, ProcessState, Snapshot};
use crate::rates::{RateTable, TableUse};
use crate::session::Times;
use crate::telemetry::audit::AuditCounts;
use crate::telemetry::history::{History, STEP};
use crate::telemetry::metrics::{Metrics, RateTableLevel, RateTableLevels, ServerLevels};
use crate::telemetry::recent::Recent;
use crate::token::VerifyingKey;
use crate::upstream::ServerSets;
use crate::users::Directory;

impl InForce for Snapshot {
    fn services(&self) -> Vec<ServiceView<'_>> {
        self.services().collect()
    }

    fn directory(&self) -> &Directory {
        self.directory()
    }

    fn session_times(&self, now: u64) -> Times {
        self.session_times(now)
    }
}

/// How far the process has come.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Workers accept; before, the state store is waited for.
    pub(super) listening: AtomicBool,
    /// The end has begun.
    pub(super) draining: AtomicBool,
}

/// What operators are told of a load that comes into force now.
pub(super) fn load(loaded: &Loaded) -> ConfigurationLoad {
    ConfigurationLoad {
        digest: loaded.digest,
        at: ambient::unix_seconds(),
        users: loaded.config.directory.users().count(),
        warnings: loaded.warnings.clone(),
        token: loaded.config.admin_token,
        hosts: loaded.config.admin_hosts.clone(),
    }
}

/// Shows which keys sign and verify now.
pub(super) fn show_keys(config: &Config, metrics: &Metrics) {
    let keys = config.auth.token.keys();
    metrics.show_keys(keys.keys().iter().map(VerifyingKey::id));
}

/// What operators are answered from.
pub(super) fn state(
    metrics: Arc<Metrics>,
    process_state: &ProcessState,
    standing: &Arc<Standing>,
    shared: &Arc<CurrentSnapshot>,
    recent: Arc<Recent>,
    loads: Arc<Loads>,
) -> AdminState {
    let shared = Arc::clone(shared);
    AdminState {
        history: Arc::new(History::new(Arc::clone(&metrics), ambient::now())),
        metrics,
        readiness: readiness(standing, process_state),
        servers: levels(&process_state.server_sets).into(),
        recent,
        sessions: process_state.sessions.clone(),
        audit: process_state.audit.clone(),
        loads,
        in_force: Arc::new(move || shared.current()),
    }
}

/// Answers operators on a thread of its own, until the guard is dropped.
///
/// # Errors
/// Where the system gives no thread.
pub(super) fn serve(listener: TcpListener, state: AdminState) -> io::Result<DropGuard> {
    let shutdown = CancellationToken::new();
    let (ended, history) = (shutdown.clone(), Arc::clone(&state.history));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let run = move || {
        runtime.block_on(async {
            tokio::select! {
                served = admin::serve(listener, state, ended) => served,
                never = sample(&history) => match never {},
            }
        })
    };
    let report = move || {
        if let Err(error) = run() {
            tracing::error!(%error, "the admin listener has ended");
        }
    };
    thread::Builder::new()
        .name("admin".to_owned())
        .spawn(report)?;
    Ok(shutdown.drop_guard())
}

/// How the servers of all upstreams are, for whoever asks.
pub(super) fn levels(server_sets: &Arc<ServerSets>) -> ServerLevels {
    let server_sets = Arc::clone(server_sets);
    Box::new(move || server_sets.levels())
}

/// How much of the table of rates is in use, for whoever asks.
pub(super) fn rate_table(table: &Arc<RateTable>) -> RateTableLevels {
    let table = Arc::clone(table);
    Box::new(move || {
        let TableUse {
            buckets,
            places,
            shared,
        } = table.usage(ambient::now());
        RateTableLevel {
            buckets,
            places,
            shared,
        }
    })
}

fn readiness(
    standing: &Arc<Standing>,
    process_state: &ProcessState,
) -> Arc<dyn Fn() -> Readiness + Send + Sync> {
    let (standing, sessions) = (Arc::clone(standing), process_state.sessions.clone());
    let audit = process_state.audit.as_ref().map(|audit| audit.counts());
    let check = |passes, failure| {
        if passes {
            ReadinessCheck::Ok
        } else {
            ReadinessCheck::Failed(failure)
        }
    };
    // the admin listener opens when a configuration is in force
    Arc::new(move || Readiness {
        listening: check(
            standing.listening.load(Ordering::Relaxed),
            "waiting for the state store",
        ),
        running: check(!standing.draining.load(Ordering::Relaxed), "draining"),
        state: check(sessions.is_up(), "unreachable"),
        audit: check(
            !audit.as_ref().is_some_and(AuditCounts::is_failing),
            "cannot be written",
        ),
        ..Readiness::READY
    })
}

/// Looks at the counters, for ever.
async fn sample(history: &History) -> std::convert::Infallible {
    let mut ticks = interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // the first one comes at once
    ticks.tick().await;
    loop {
        ticks.tick().await;
        history.sample(ambient::now(), ambient::unix_millis());
    }
}
