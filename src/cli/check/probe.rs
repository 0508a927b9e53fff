//! Whether the servers of all services take connections.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{JoinSet, LocalSet};

use crate::config::{self, Code, Loaded, Place, Problem, Service, Severity};
use crate::net::TlsSettings;
use crate::upstream::{ForwardError, Origin, reach};

/// How many servers there are, and how many of them take connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) servers: usize,
    pub(super) answering: usize,
}

/// Connects to every server, all at once, and adds a warning for each that does not answer within `limit`.
pub(super) fn probe(loaded: &mut Loaded, limit: Duration) -> anyhow::Result<Probe> {
    let servers: Vec<Server> = loaded.config.services.iter().flat_map(servers).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("cannot connect to anything")?;
    let failures = LocalSet::new().block_on(&runtime, connect_all(&servers, limit));
    let probe = Probe {
        servers: servers.len(),
        answering: servers.len() - failures.len(),
    };
    loaded.warnings.extend(
        failures
            .into_iter()
            .map(|(index, error)| unreachable(&servers[index], &error)),
    );
    Ok(probe)
}

/// A server, and how it is reached.
struct Server {
    service: String,
    origin: Origin,
    place: Option<Place>,
    tls: Option<Arc<TlsSettings>>,
}

fn servers(service: &Service) -> impl Iterator<Item = Server> {
    let server = |(index, origin): (usize, &Origin)| Server {
        service: service.name.clone(),
        origin: origin.clone(),
        place: service.servers.get(index).map(place),
        tls: service.upstream.tls.clone(),
    };
    service.upstream.servers.iter().enumerate().map(server)
}

/// The line itself is not shown: what a load saw of it is gone.
fn place(origin: &config::Origin) -> Place {
    Place {
        file: origin.file.clone(),
        line: origin.line,
        column: origin.column,
        end_line: origin.line,
        end_column: origin.column,
        excerpt: None,
    }
}

/// The servers that do not answer, in the order of the configuration.
async fn connect_all(servers: &[Server], limit: Duration) -> Vec<(usize, ForwardError)> {
    let mut attempts = JoinSet::new();
    for (index, Server { origin, tls, .. }) in servers.iter().enumerate() {
        let (origin, tls) = (origin.clone(), tls.clone());
        attempts.spawn_local(async move {
            let outcome = reach(&origin, tls.as_deref(), limit).await;
            (index, outcome.err())
        });
    }
    let attempts = attempts.join_all().await.into_iter();
    let mut failures: Vec<_> = attempts
        .filter_map(|(index, error)| Some((index, error?)))
        .collect();
    failures.sort_by_key(|(index, _)| *index);
    failures
}

fn unreachable(
    Server {
        service,
        origin,
        place,
        ..
    }: &Server,
    error: &ForwardError,
) -> Problem {
    Problem {
        code: Code::UnreachableUpstream,
        severity: Severity::Warning,
        message: format!(
            "the server `{origin}` of the service `{service}` does not answer: {error}"
        ),
        place: place.clone(),
        help: Some("start it, or correct `upstream` of the service".to_owned()),
        notes: Vec::new(),
    }
}
