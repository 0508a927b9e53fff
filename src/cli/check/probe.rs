//! Whether the servers of all services take connections, the keys of other issuers can be had, people can sign in with the
//! providers, and the state store and the directory can be used.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{JoinSet, LocalSet};

use crate::config::{
    self, Auth, Code, Issuer, KeySource, Loaded, Place, Problem, Service, Severity,
};
use crate::jwks::{self, KeyLocation};
use crate::ldap::{self, LdapSettings};
use crate::net::TlsSettings;
use crate::oidc::{self, ProviderSettings};
use crate::session::{self, StateSettings};
use crate::token::Algorithm;
use crate::upstream::{Origin, reach};

/// How many servers, issuers, providers and stores there are, and how many of them answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probe {
    pub(super) servers: Answers,
    /// Those whose keys are published.
    pub(super) issuers: Answers,
    pub(super) providers: Answers,
    /// None is asked where it is the memory of the gateway.
    pub(super) state: Answers,
    pub(super) directory: Answers,
}

/// How many are asked, and how many of them answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) asked: usize,
    pub(super) answering: usize,
}

/// Connects to every server and to the state store, fetches every published key set and what every provider publishes, and
/// looks into the directory, all at once, and adds a warning
/// for each that does not answer within `limit`.
pub(super) fn probe(loaded: &mut Loaded, limit: Duration) -> anyhow::Result<Probe> {
    let servers = loaded.config.services.iter().flat_map(servers);
    let issuers = loaded.config.auth.issuers.iter().filter_map(published);
    let state = Some(&loaded.config.state).filter(|state| **state != StateSettings::Memory);
    let stated = loaded.config.state_origin.as_ref().map(place);
    let state = state.cloned().map(|state| Target::State(state, stated));
    let directory = loaded.config.auth.ldap.iter().cloned();
    let directory = directory.map(|ldap| Target::Directory(Box::new(ldap)));
    let targets = servers.chain(issuers).chain(providers(&loaded.config.auth));
    let targets: Vec<Target> = targets.chain(state).chain(directory).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.context("cannot connect to anything")?;
    let outcomes = LocalSet::new().block_on(&runtime, reach_all(targets, limit));
    let mut probe = Probe::default();
    for (target, error) in &outcomes {
        let answers = match target {
            Target::Server { .. } => &mut probe.servers,
            Target::Issuer { .. } => &mut probe.issuers,
            Target::Provider { .. } => &mut probe.providers,
            Target::State(..) => &mut probe.state,
            Target::Directory(_) => &mut probe.directory,
        };
        answers.asked += 1;
        match error {
            None => answers.answering += 1,
            Some(error) => {
                let problem = config::with_line(target.unreachable(error));
                loaded.warnings.push(problem);
            }
        }
    }
    Ok(probe)
}

/// What is asked, and how it is reached.
#[derive(Clone)]
enum Target {
    Server {
        service: String,
        origin: Origin,
        place: Option<Place>,
        tls: Option<Arc<TlsSettings>>,
    },
    Issuer {
        name: String,
        location: KeyLocation,
        algorithms: Vec<Algorithm>,
    },
    Provider {
        settings: Arc<ProviderSettings>,
        place: Place,
    },
    State(StateSettings, Option<Place>),
    Directory(Box<LdapSettings>),
}

fn servers(service: &Service) -> impl Iterator<Item = Target> {
    let server = |(index, origin): (usize, &Origin)| Target::Server {
        service: service.name.clone(),
        origin: origin.clone(),
        place: service.servers.get(index).map(place),
        tls: service.upstream.tls.clone(),
    };
    service.upstream.servers.iter().enumerate().map(server)
}

/// What a load saw of the line itself is gone.
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

fn providers(auth: &Auth) -> impl Iterator<Item = Target> {
    let places = auth.provider_origins.iter().map(place);
    let providers = auth.providers.iter().cloned().zip(places);
    providers.map(|(settings, place)| Target::Provider { settings, place })
}

fn published(issuer: &Issuer) -> Option<Target> {
    match &issuer.keys {
        KeySource::Fixed(_) => None,
        KeySource::Published(location) => Some(Target::Issuer {
            name: issuer.settings.issuer.clone(),
            location: location.clone(),
            algorithms: issuer.settings.algorithms.clone(),
        }),
    }
}

/// Each with what is wrong, in the order of the configuration.
async fn reach_all(targets: Vec<Target>, limit: Duration) -> Vec<(Target, Option<String>)> {
    let mut attempts = JoinSet::new();
    for (index, target) in targets.into_iter().enumerate() {
        attempts.spawn_local(async move {
            let error = target.reach(limit).await.err();
            (index, target, error)
        });
    }
    let mut outcomes = attempts.join_all().await;
    outcomes.sort_by_key(|(index, ..)| *index);
    let outcomes = outcomes.into_iter();
    outcomes.map(|(_, target, error)| (target, error)).collect()
}

impl Target {
    async fn reach(&self, limit: Duration) -> Result<(), String> {
        match self {
            Self::Server { origin, tls, .. } => reach(origin, tls.as_deref(), limit)
                .await
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Issuer {
                name,
                location,
                algorithms,
            } => jwks::probe(name, location, algorithms, limit).await,
            Self::Provider { settings, .. } => oidc::probe(settings, limit).await,
            Self::State(state, _) => session::probe(state, limit).await,
            Self::Directory(ldap) => ldap::probe(ldap, limit).await,
        }
    }

    fn unreachable(&self, error: &str) -> Problem {
        let (code, place, message, help) = match self {
            Self::Server {
                service,
                origin,
                place,
                ..
            } => (
                Code::UnreachableUpstream,
                place.clone(),
                format!(
                    "the server `{origin}` of the service `{service}` does not answer: {error}"
                ),
                "start it, or correct `upstream` of the service",
            ),
            Self::State(state, place) => (
                Code::UnreachableState,
                place.clone(),
                format!("the state store `{state}` cannot be used: {error}"),
                match state {
                    StateSettings::File(_) => {
                        "name a file in a folder that the gateway can write to"
                    }
                    StateSettings::Memory | StateSettings::Redis(_) => {
                        "start it, or correct `state`"
                    }
                },
            ),
            Self::Directory(ldap) => (
                Code::UnreachableDirectory,
                None,
                format!("the directory `{}` cannot be used: {error}", ldap.url),
                "until it can, nobody of it signs in; start it, or correct `auth.ldap`",
            ),
            Self::Provider { settings, place } => (
                Code::UnreachableProvider,
                Some(place.clone()),
                format!(
                    "nobody can sign in with the provider `{}`: {error}",
                    settings.name
                ),
                "start it, or correct its entry in `auth.providers`",
            ),
            Self::Issuer { name, .. } => (
                Code::UnreachableKeys,
                None,
                format!("the keys of the issuer `{name}` cannot be had: {error}"),
                "until they can, its tokens are refused; correct its entry in `auth.trusted_issuers`, or name the keys with `jwks`",
            ),
        };
        Problem {
            code,
            severity: Severity::Warning,
            message,
            place,
            help: Some(help.to_owned()),
            notes: Vec::new(),
        }
    }
}
