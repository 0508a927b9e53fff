//! One worker's way to a service's servers: which server, which connection, and whether to try again.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::attempt::{Again, Failed, Use};
use super::balance::Balancer;
use super::dial_context::DialContext;
use super::error::ForwardError;
use super::exchange::UpstreamReply;
use super::origin::Origin;
use super::outbound::{Outbound, OwnHost};
use super::server::{Reuse, ServerConnections};
use super::server_set::ServerSet;
use super::settings::HostHeader;
use super::state::{FAILURES, ServerCondition, ServerLoad, UNREACHED};
use super::traced;
use crate::telemetry::metrics::ServerMetrics;
use crate::telemetry::traces::Trace;

/// Connections that may turn out to have ended, in one attempt.
const ENDED_CONNECTIONS: u32 = 8;

/// The upstream of one service, as one worker reaches it.
pub struct Upstream {
    server_set: Arc<ServerSet>,
    endpoints: Box<[Endpoint]>,
    balancer: Balancer,
}

/// One server with what this worker keeps for it.
struct Endpoint {
    server: Rc<ServerConnections>,
    /// Its own `Host`, where it is addressed by that.
    host: Option<OwnHost>,
    metrics: ServerMetrics,
}

/// What became of a request.
pub struct Forwarded {
    /// The server of the last attempt; `None` where there was none.
    pub server: Option<ServerIndex>,
    /// Its answer, or why there is none.
    pub outcome: Result<UpstreamReply, ForwardError>,
}

/// A server of an [`Upstream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerIndex(usize);

impl Upstream {
    /// Without any connection so far. `start` is where this worker begins with the servers; `metrics` counts the requests
    /// to a server of that name.
    pub fn new(
        server_set: &Arc<ServerSet>,
        dial_context: &Rc<DialContext>,
        start: usize,
        metrics: impl Fn(&str) -> ServerMetrics,
    ) -> Rc<Self> {
        let settings = server_set.settings();
        let endpoint = |(origin, name): (&Origin, &str)| Endpoint {
            server: ServerConnections::new(origin.clone(), settings, dial_context),
            host: (settings.host == HostHeader::Upstream).then(|| OwnHost::of(origin)),
            metrics: metrics(name),
        };
        Rc::new(Self {
            server_set: Arc::clone(server_set),
            endpoints: settings
                .servers
                .iter()
                .zip(server_set.names())
                .map(endpoint)
                .collect(),
            balancer: Balancer::new(settings.balance, server_set.names(), start),
        })
    }

    /// Whether it is the way to these servers, and its connections can go on.
    pub fn serves(&self, server_set: &ServerSet) -> bool {
        self.server_set.is_like(server_set)
    }

    /// How a server is called in logs.
    pub fn name(&self, server: ServerIndex) -> &str {
        self.server_set.servers()[server.0].name()
    }

    /// A server as it is configured.
    pub fn origin(&self, server: ServerIndex) -> &Origin {
        &self.server_set.settings().servers[server.0]
    }

    /// Sends a request of a client and waits for the head of the answer. It is tried again only where the first attempt
    /// cannot have had an effect, over a new connection, and with another server where there is one. `trace` is told of
    /// each attempt.
    pub async fn send(
        &self,
        mut outbound: Outbound,
        client: IpAddr,
        trace: Option<&Trace>,
    ) -> Forwarded {
        let mut tries_left = self.server_set.settings().retries;
        let mut reuse = Reuse::Allowed;
        let mut failed_at = Vec::new();
        let (mut server, mut error) = (None, ForwardError::Unavailable);
        loop {
            let Some(index) = self.choose(client, &failed_at) else {
                return Forwarded {
                    server,
                    outcome: Err(error),
                };
            };
            server = Some(ServerIndex(index));
            let failed = match self.ask(index, outbound, reuse, trace).await {
                Ok(sent) => {
                    return Forwarded {
                        server,
                        outcome: Ok(sent),
                    };
                }
                Err(failed) => failed,
            };
            error = failed.error;
            match failed.again {
                Again::Harmless(again) | Again::Unsent(again) if tries_left > 0 => outbound = again,
                Again::Harmless(_) | Again::Unsent(_) | Again::Never => {
                    return Forwarded {
                        server,
                        outcome: Err(error),
                    };
                }
            }
            tries_left -= 1;
            reuse = Reuse::Shunned;
            failed_at.push(index);
        }
    }

    async fn ask(
        &self,
        index: usize,
        mut outbound: Outbound,
        reuse: Reuse,
        trace: Option<&Trace>,
    ) -> Result<UpstreamReply, Failed> {
        let endpoint = &self.endpoints[index];
        if let Some(host) = &endpoint.host {
            outbound.set_host(host);
        }
        endpoint.metrics.request();
        if let Some(trace) = trace {
            let name = self.name(ServerIndex(index));
            traced::begin(trace, &mut outbound, &endpoint.server, name);
        }
        let outcome = self.attempt(index, outbound, reuse).await;
        if let Some(trace) = trace {
            traced::end(trace, &outcome);
        }
        self.learn(index, &outcome);
        outcome
    }

    /// One attempt: connections that had ended before anything was sent do not count. A server may end them after a few
    /// requests each, and many requests at once meet several such.
    async fn attempt(
        &self,
        index: usize,
        mut outbound: Outbound,
        mut reuse: Reuse,
    ) -> Result<UpstreamReply, Failed> {
        let mut ended = 0;
        loop {
            let outcome = self.endpoints[index]
                .server
                .send(outbound, reuse, self.take_on(index))
                .await;
            match outcome {
                Err(Failed {
                    again: Again::Unsent(unsent),
                    ..
                }) if ended < ENDED_CONNECTIONS => outbound = unsent,
                outcome => return outcome,
            }
            ended += 1;
            reuse = Reuse::Shunned;
        }
    }

    fn take_on(&self, index: usize) -> Option<ServerLoad> {
        match self.balancer {
            Balancer::LeastConnections(_) => Some(self.server_set.servers()[index].take_on()),
            Balancer::RoundRobin(_) | Balancer::HashClient(_) => None,
        }
    }

    /// Who serves comes first, then who rests, and those who have failed this request last of each. A server whose checks
    /// fail is never asked.
    fn choose(&self, client: IpAddr, failed_at: &[usize]) -> Option<usize> {
        let servers = self.server_set.servers();
        if let [only] = servers {
            return only.is_healthy().then_some(0);
        }
        let now = servers[0].now();
        let load = |index: usize| servers[index].load();
        let serving = |index: usize| match servers[index].condition(now) {
            ServerCondition::Serving(share) | ServerCondition::Failing(share) => share,
            ServerCondition::Resting | ServerCondition::Down => 0.0,
        };
        let healthy = |index: usize| {
            if servers[index].is_healthy() {
                1.0
            } else {
                0.0
            }
        };
        let untried = |index: usize, share: f64| {
            if failed_at.contains(&index) {
                0.0
            } else {
                share
            }
        };
        let pick = |share: &dyn Fn(usize) -> f64| self.balancer.pick(client, share, load);
        pick(&|index| untried(index, serving(index)))
            .or_else(|| pick(&|index| untried(index, healthy(index))))
            .or_else(|| pick(&serving))
            .or_else(|| pick(&healthy))
    }

    /// Where there are several servers, one that fails again and again is left alone for a while. That a kept connection
    /// was closed says nothing: servers may do that.
    fn learn(&self, index: usize, outcome: &Result<UpstreamReply, Failed>) {
        let server = &self.server_set.servers()[index];
        match outcome {
            Ok(_) => server.note_success(),
            Err(Failed {
                error: ForwardError::Closed(_),
                used: Use::Further,
                ..
            }) => {}
            Err(Failed { error, .. }) if error.blames_server() => {
                if let Some(failure) = error.tls_failure() {
                    server.note_tls_failure(failure, error);
                }
                let failures = server.note_failure(server.now());
                let unreached = failures >= UNREACHED && error.is_unreachable();
                if unreached || failures >= FAILURES {
                    self.server_set.failed(index, failures, error);
                }
            }
            Err(_) => {}
        }
    }
}
