//! The servers of all services, one instance per process. Their state survives a reload; health checks run here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::health::HealthChecks;
use super::origin::Origin;
use super::server_set::ServerSet;
use super::settings::{Health, Settings};
use super::state::{Clock, Moment, ServerCondition, ServerState};
use crate::telemetry::metrics::ServerLevel;

/// All servers of all services.
#[derive(Debug)]
pub struct ServerSets {
    clock: Clock,
    server_sets: Mutex<Vec<(Box<str>, Arc<ServerSet>)>>,
    /// Notified when the servers change, or one of them is ejected.
    changed: Arc<Notify>,
}

/// Identifies a server across reloads.
type Known<'a> = HashMap<(&'a str, &'a Origin), (Option<&'a Health>, &'a Arc<ServerState>)>;

impl ServerSets {
    /// Without any server.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::start(),
            server_sets: Mutex::default(),
            changed: Arc::default(),
        })
    }

    /// Reconciles the servers with those of a new load. A server that the former load had for the same service with the
    /// same health check keeps its state; every other server starts as healthy.
    pub fn reconcile<'s>(
        &self,
        services: impl Iterator<Item = (&'s str, &'s Settings)>,
    ) -> Vec<Arc<ServerSet>> {
        let mut server_sets = self.server_sets();
        let known = known(&server_sets);
        let reconcile = |(service, settings): (&str, &Settings)| {
            let server = |origin| match known.get(&(service, origin)) {
                Some((health, server)) if *health == settings.health.as_ref() => Arc::clone(server),
                Some(_) | None => ServerState::new(service, origin, self.clock),
            };
            let servers = settings.servers.iter().map(server).collect();
            (
                service.into(),
                ServerSet::new(settings.clone(), servers, Arc::clone(&self.changed)),
            )
        };
        let reconciled: Vec<_> = services.map(reconcile).collect();
        drop(known);
        server_sets.clone_from(&reconciled);
        self.changed.notify_one();
        reconciled
            .into_iter()
            .map(|(_, server_set)| server_set)
            .collect()
    }

    /// The current state of each server, in the order of the configuration.
    pub fn levels(&self) -> Vec<ServerLevel> {
        let now = self.clock.now();
        let level = |server: &ServerState| {
            let (state, share) = match server.condition(now) {
                ServerCondition::Serving(share) => ("up", share),
                ServerCondition::Failing(share) => ("failing", share),
                ServerCondition::Resting => ("resting", 0.0),
                ServerCondition::Down => ("down", 0.0),
            };
            ServerLevel {
                service: server.service().into(),
                server: server.name().into(),
                state,
                share,
                tls_failures: server.tls_failures().into(),
            }
        };
        let server_sets = self.server_sets();
        server_sets
            .iter()
            .flat_map(|(_, server_set)| server_set.servers())
            .map(|server| level(server))
            .collect()
    }

    /// Runs the health checks and announces servers that return from ejection; never ends. Runs once per process, on a
    /// tokio runtime with time and I/O.
    pub async fn watch(self: Arc<Self>) {
        let mut checks = HealthChecks::default();
        loop {
            checks.follow(self.server_sets().iter().map(|(_, set)| &**set));
            let next = self.end_rests();
            let wait = next.map(|moment| moment.saturating_sub(self.clock.now()));
            let returned = async {
                match wait {
                    Some(wait) => sleep(Duration::from_millis(wait)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = returned => {}
            }
        }
    }

    /// Ends the ejections that are over; gives the moment of the next end.
    fn end_rests(&self) -> Option<Moment> {
        let now = self.clock.now();
        let server_sets = self.server_sets();
        let next = server_sets
            .iter()
            .map(|(_, server_set)| server_set.end_rests(now));
        next.flatten().min()
    }

    /// Locked by reloads, scrapes and the health checks only.
    fn server_sets(&self) -> MutexGuard<'_, Vec<(Box<str>, Arc<ServerSet>)>> {
        self.server_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(server_sets: &[(Box<str>, Arc<ServerSet>)]) -> Known<'_> {
    let mut known = HashMap::new();
    for (service, server_set) in server_sets {
        let settings = server_set.settings();
        for (origin, server) in settings.servers.iter().zip(server_set.servers()) {
            known.insert((&**service, origin), (settings.health.as_ref(), server));
        }
    }
    known
}
