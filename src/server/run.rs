//! The whole process: threads are started, signals obeyed, and everything ended in order.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{fmt, io};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::capacity::Room;
use super::listen::{ListenAddress, ListenError, bind_all, bind_alone};
use super::manager;
use super::operators::Standing;
use super::reload::{Fixed, LoadedFiles, ReloadQueue, ReloadTarget, Reloads, report};
use super::signals::Signals;
use super::sinks::Sinks;
use super::start::{self, StartSettings, Wait};
use super::team::Team;
use super::tls::ListenerTls;
use super::watchdog::Watchdog;
use super::worker::WorkerShutdown;
use super::{files, operators};
use crate::admin::Loads;
use crate::ambient;
use crate::config::{Config, LoadRequest, Loaded};
use crate::gateway::{CurrentSnapshot, ProcessState, Snapshot};
use crate::jwks::KeySources;
use crate::ldap::LdapDirectories;
use crate::oidc::Providers;
use crate::rates::RateTable;
use crate::session::{Renewals, Sessions, StateError};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::audit::{Audit, AuditSink};
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::recent::Recent;
use crate::upstream::ServerSets;
use crate::users::{Hasher, HasherSettings};

/// Logins that wait for each thread that checks passwords; more are refused with 503.
const LOGIN_QUEUE: usize = 64;

/// How long workers may take to write down what a second signal cuts off.
const CUT_OFF: Duration = Duration::from_secs(1);

/// What a gateway is started with.
pub struct GatewaySettings {
    /// The configuration.
    pub loaded: Loaded,
    /// How to load it again.
    pub request: LoadRequest,
    /// Where access-log lines go.
    pub access_log: AccessLog,
    /// The level of events follows the configuration; `None`: it stays.
    pub events: Option<Events>,
}

/// Where a started gateway listens.
#[derive(Clone, Debug)]
pub struct Bound {
    /// For clients.
    pub clients: Vec<ListenAddress>,
    /// For operators; `None` where it is off.
    pub admin: Option<SocketAddr>,
}

impl Bound {
    /// Says where; with `tls`, every address is one of HTTPS.
    fn report(&self, tls: bool) {
        let scheme = if tls { "https" } else { "http" };
        let clients = self.clients.iter().map(|address| match address {
            ListenAddress::Tcp(address) => format!("{scheme}://{address}"),
            ListenAddress::Unix(_) => address.to_string(),
        });
        let clients = clients.collect::<Vec<_>>().join(", ");
        let admin = self.admin.map(|address| format!("http://{address}"));
        tracing::info!(clients, admin, "listening");
    }
}

/// Why a gateway cannot start, or ended without a signal.
#[derive(Debug)]
pub enum RunError {
    /// An address cannot be listened on.
    Listen(ListenError),
    /// The state store cannot be used.
    State(StateError),
    /// The audit stream cannot be written.
    Audit(String, io::Error),
    /// The system refuses a thread, a signal or a socket.
    System(io::Error),
    /// A worker ended by itself.
    WorkerEnded,
}

/// Runs the gateway until SIGTERM or SIGINT, and drains it. `ready` is called once it listens.
///
/// # Errors
/// [`RunError`] where it cannot start.
pub fn run(settings: GatewaySettings, ready: impl FnOnce(&Bound)) -> Result<(), RunError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // from here on: without a handler SIGHUP would end the process, and as the first one of a container it would not
    // hear SIGTERM at all
    let signals = runtime.block_on(async { Signals::listen() })?;
    files::raise_limit();
    report(&settings.loaded.warnings);
    let config = &settings.loaded.config;
    let metrics = counting(&settings.access_log);
    operators::show_keys(config, &metrics);
    let admin = config.admin.map(bind_alone).transpose()?;
    let loads = Arc::new(Loads::new(operators::load(&settings.loaded)));
    let cores = settings.request.cores;
    let queue = ReloadQueue::new();
    let process_state = process_state(config, cores, &runtime, (&metrics, &queue))?;
    let process = Process::open(settings, (process_state, queue), metrics, loads)?;
    process.serve(&runtime, admin, signals, ready)
}

/// A process whose configuration is in force and whose stores are open.
struct Process {
    process_state: ProcessState,
    shared: Arc<CurrentSnapshot>,
    tls: Option<Arc<ListenerTls>>,
    sinks: Sinks,
    reloads: Reloads,
    metrics: Arc<Metrics>,
    loads: Arc<Loads>,
    access_log: AccessLog,
    start: StartSettings,
    room: Arc<Room>,
}

impl Process {
    fn open(
        settings: GatewaySettings,
        (process_state, queue): (ProcessState, ReloadQueue),
        metrics: Arc<Metrics>,
        loads: Arc<Loads>,
    ) -> Result<Self, RunError> {
        let loaded = settings.loaded;
        let fixed = Fixed::of(&loaded.config);
        let start = StartSettings::of(&loaded.config);
        let room = Room::of(&loaded.config);
        let tls = loaded.config.server.tls.as_ref();
        let tls = tls.map(|tls| Arc::new(ListenerTls::new(tls)));
        metrics.show_servers(operators::levels(&process_state.server_sets));
        metrics.show_rate_table(operators::rate_table(&process_state.rates));
        let sinks = Sinks::open(&process_state, &metrics);
        let shared = Arc::new(CurrentSnapshot::new(Snapshot::new(
            loaded.config,
            &process_state,
        )));
        let target = ReloadTarget {
            shared: Arc::clone(&shared),
            tls: tls.clone(),
            process_state: process_state.clone(),
            metrics: Arc::clone(&metrics),
            loads: Arc::clone(&loads),
            events: settings.events,
        };
        let present = LoadedFiles {
            files: loaded.files,
            digest: loaded.digest,
            fixed,
        };
        Ok(Self {
            reloads: Reloads::start(queue, settings.request, present, target)?,
            process_state,
            shared,
            tls,
            sinks,
            metrics,
            loads,
            access_log: settings.access_log,
            start,
            room,
        })
    }

    /// Serves until the process is signalled to end, then shuts everything down in order.
    fn serve(
        self,
        runtime: &Runtime,
        admin: Option<TcpListener>,
        mut signals: Signals,
        ready: impl FnOnce(&Bound),
    ) -> Result<(), RunError> {
        let (end, watchdog) = (WorkerShutdown::default(), Watchdog::wanted());
        let recent = Arc::new(Recent::default());
        let (process_state, shared) = (&self.process_state, &self.shared);
        let standing = Arc::new(Standing::default());
        let state = operators::state(
            Arc::clone(&self.metrics),
            process_state,
            &standing,
            shared,
            Arc::clone(&recent),
            Arc::clone(&self.loads),
        );
        let admin_address = admin.as_ref().and_then(|admin| admin.local_addr().ok());
        let operators = admin.map(|listener| operators::serve(listener, state));
        let _operators = operators.transpose()?;
        let sessions = &process_state.sessions;
        let wait = start::wait_for_state(sessions, &self.start, &self.reloads, &mut signals);
        if let Wait::Ended = runtime.block_on(wait)? {
            self.close();
            return Ok(());
        }
        let listeners = bind_all(&self.start.listen, self.start.workers)?;
        let bound = Bound {
            clients: listeners.endpoints,
            admin: admin_address,
        };
        let team = self.team(watchdog.as_ref(), &recent, &end);
        let (threads, mut ended) = team.start(listeners.of_worker)?;
        standing.listening.store(true, Ordering::Relaxed);
        let outcome = runtime.block_on(async {
            watchdog.map(|watchdog| tokio::spawn(watchdog.run()));
            tokio::spawn(Arc::clone(&process_state.server_sets).watch());
            bound.report(self.tls.is_some());
            manager::ready();
            ready(&bound);
            let drain = || start_drain(&standing, shared, &self.sinks);
            supervise(signals, &mut ended, &self.reloads, drain, &end).await
        });
        if let Workers::Gone = runtime.block_on(cut_off(&end, &mut ended)) {
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
        drop(listeners.files);
        self.close();
        outcome.into_result()
    }

    fn team<'a>(
        &'a self,
        watchdog: Option<&'a Watchdog>,
        recent: &'a Recent,
        end: &'a WorkerShutdown,
    ) -> Team<'a> {
        Team {
            shared: &self.shared,
            tls: self.tls.as_ref(),
            sessions: &self.process_state.sessions,
            renewals: &self.process_state.renewals,
            metrics: &self.metrics,
            access_log: &self.access_log,
            watchdog,
            recent,
            end,
            room: &self.room,
        }
    }

    fn close(self) {
        self.sinks.close(self.reloads);
        self.access_log.close();
        tracing::info!("ended");
    }
}

fn counting(access_log: &AccessLog) -> Arc<Metrics> {
    let metrics = Metrics::new();
    metrics.configuration_loaded(ambient::unix_seconds());
    metrics.show_dropped(access_log.dropped());
    metrics
}

fn process_state(
    config: &Config,
    cores: usize,
    runtime: &Runtime,
    (metrics, queue): (&Arc<Metrics>, &ReloadQueue),
) -> Result<ProcessState, RunError> {
    let runtime = runtime.handle();
    let issuer_keys = Arc::new(KeySources::new(runtime.clone(), Arc::clone(metrics)));
    let providers =
        Providers::start(runtime.clone(), Arc::clone(&issuer_keys)).map_err(StateError::System)?;
    let sessions = Sessions::start(&config.state, Arc::clone(metrics), ambient::hash_state())?;
    Ok(ProcessState {
        hasher: Hasher::start(hasher_settings(cores))?,
        password_changes: queue.password_changes(),
        renewals: Renewals::start(sessions.clone(), &ambient::hash_state())
            .map_err(StateError::System)?,
        sessions,
        server_sets: ServerSets::new(),
        issuer_keys,
        providers: Arc::new(providers),
        directories: LdapDirectories::new(runtime.clone(), Arc::clone(metrics)).into(),
        rates: RateTable::new(ambient::now(), ambient::hash_state()).into(),
        traces: Arc::default(),
        audit: config.log.audit.as_ref().map(start_audit).transpose()?,
    })
}

/// Says everywhere that the end has begun. Returns for how long new connections are still served.
fn start_drain(standing: &Standing, shared: &CurrentSnapshot, sinks: &Sinks) -> Duration {
    standing.draining.store(true, Ordering::Relaxed);
    let current = shared.current();
    let timeouts = &current.server().timeouts;
    manager::stopping(timeouts.drain_delay + timeouts.drain);
    sinks.drain(timeouts)
}

/// Without a record of what it does the gateway does not start.
fn start_audit(sink: &AuditSink) -> Result<Arc<Audit>, RunError> {
    Audit::start(sink).map_err(|error| RunError::Audit(sink.to_string(), error))
}

fn hasher_settings(cores: usize) -> HasherSettings {
    let threads = NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN);
    let queue_per_thread = NonZeroUsize::new(LOGIN_QUEUE).expect("the queue is not empty");
    HasherSettings {
        threads,
        queue_per_thread,
    }
}

/// How the process came to its end.
enum Outcome {
    /// Every worker has ended.
    Drained,
    /// A second signal: what still runs is cut off.
    CutOff,
    /// A worker ended unasked.
    WorkerEnded,
}

impl Outcome {
    fn into_result(self) -> Result<(), RunError> {
        match self {
            Self::Drained | Self::CutOff => Ok(()),
            Self::WorkerEnded => Err(RunError::WorkerEnded),
        }
    }
}

/// Obeys signals until every worker has ended, or must not be waited for.
async fn supervise(
    mut signals: Signals,
    ended: &mut UnboundedReceiver<()>,
    reloads: &Reloads,
    start_drain: impl FnOnce() -> Duration,
    end: &WorkerShutdown,
) -> Outcome {
    loop {
        tokio::select! {
            () = signals.ends.next() => break,
            _ = signals.hangup.recv() => reloads.request(),
            _ = ended.recv() => return Outcome::WorkerEnded,
        }
    }
    let delay = start_drain();
    tracing::info!("draining; a second signal ends at once");
    let drain = async {
        sleep(delay).await;
        end.stop.cancel();
        all_gone(ended).await;
    };
    tokio::select! {
        () = drain => Outcome::Drained,
        () = signals.ends.next() => Outcome::CutOff,
    }
}

/// Whether threads can be joined without waiting.
enum Workers {
    Gone,
    Stuck,
}

/// Ends the workers that still run, if any. What they were doing is written to the access log.
async fn cut_off(end: &WorkerShutdown, ended: &mut UnboundedReceiver<()>) -> Workers {
    end.stop.cancel();
    end.cut.cancel();
    timeout(CUT_OFF, all_gone(ended))
        .await
        .map_or(Workers::Stuck, |()| Workers::Gone)
}

async fn all_gone(ended: &mut UnboundedReceiver<()>) {
    while ended.recv().await.is_some() {}
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(f),
            Self::State(error) => error.fmt(f),
            Self::Audit(sink, error) => write!(f, "cannot write `log.audit: {sink}`: {error}"),
            Self::System(error) => write!(f, "the system refuses what the gateway needs: {error}"),
            Self::WorkerEnded => f.write_str("a worker ended unexpectedly; the log says more"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<ListenError> for RunError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

impl From<StateError> for RunError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
