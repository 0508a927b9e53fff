//! The worker threads, one for each set of listeners.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::capacity::Room;
use super::context::{Context, OpenConnections};
use super::listen::Listener;
use super::tls::ListenerTls;
use super::watchdog::Watchdog;
use super::worker::{self, WorkerShutdown};
use crate::ambient::{self, Ticker};
use crate::gateway::{CurrentSnapshot, Worker, WorkerParts};
use crate::session::{Renewals, Sessions};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::recent::Recent;

/// What all workers are started with.
pub(super) struct Team<'a> {
    pub(super) shared: &'a Arc<CurrentSnapshot>,
    pub(super) tls: Option<&'a Arc<ListenerTls>>,
    pub(super) sessions: &'a Sessions,
    pub(super) renewals: &'a Renewals,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) access_log: &'a AccessLog,
    pub(super) watchdog: Option<&'a Watchdog>,
    pub(super) recent: &'a Recent,
    pub(super) end: &'a WorkerShutdown,
    pub(super) room: &'a Arc<Room>,
}

impl Team<'_> {
    /// Starts a thread for each set of listeners. The receiver hears of each one that ends, however it does.
    pub(super) fn start(
        &self,
        listeners: Vec<Vec<Listener>>,
    ) -> io::Result<(Vec<JoinHandle<()>>, UnboundedReceiver<()>)> {
        let open = OpenConnections::default();
        let (ends, ended) = unbounded_channel();
        let start = |(index, listeners)| {
            self.start_one(index, listeners, Arc::clone(&open), Ends(ends.clone()))
        };
        let threads = listeners
            .into_iter()
            .enumerate()
            .map(start)
            .collect::<io::Result<_>>()?;
        Ok((threads, ended))
    }

    fn start_one(
        &self,
        index: usize,
        listeners: Vec<Listener>,
        open: OpenConnections,
        ends: Ends,
    ) -> io::Result<JoinHandle<()>> {
        let (shared, metrics) = (Arc::clone(self.shared), Arc::clone(self.metrics));
        let (log, shard, end) = (
            self.access_log.shard(),
            self.metrics.shard(),
            self.end.clone(),
        );
        let (recent, room) = (self.recent.shard(), Arc::clone(self.room));
        let (id_seed, tls, watchdog) = (
            ambient::random_bytes(),
            self.tls.cloned(),
            self.watchdog.map(Watchdog::join),
        );
        let revocations = Arc::clone(self.sessions.revocations());
        let renewals = self.renewals.clone();
        let drain = {
            let shared = Arc::clone(&shared);
            move || shared.current().server().timeouts.drain
        };
        let context = move || {
            let ticker = Ticker::new();
            let parts = WorkerParts {
                shared,
                revocations,
                renewals,
                ticker: ticker.clone(),
                metrics,
                shard,
                log,
                recent,
                id_seed,
                frugal: room.frugal,
            };
            Context::new(Worker::new(parts), ticker, tls, open, room)
        };
        std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let _ends = ends;
                if let Err(error) = worker::run(listeners, context, watchdog, &end, drain) {
                    tracing::error!(%error, "a worker cannot start");
                }
            })
    }
}

/// Says that a thread has ended, by a panic too.
struct Ends(UnboundedSender<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
