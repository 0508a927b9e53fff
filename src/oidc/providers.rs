//! All providers of the process, over every reload.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::exchanges::ExchangeThread;
use super::metadata::ProviderMetadata;
use super::provider::Provider;
use super::settings::{ProviderLocation, ProviderSettings};
use super::source::{KnownProvider, ProviderSource};
use crate::ambient;
use crate::jwks::{FetchOptions, KeyDocument, KeyLocation, KeySources, discover, retry_after};
use crate::net::{HttpUrl, TlsSettings};
use crate::token::{Algorithm, RemoteKeys};

/// From the name to the last byte of a document.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long nothing is requested after an attempt, however many browsers want to sign in.
const PAUSE: Duration = Duration::from_secs(5);

/// What is published by the providers. It is shared by all snapshots that need it, so that a reload loses nothing, and is
/// forgotten with the last one.
pub struct Providers {
    runtime: Handle,
    keys: Arc<KeySources>,
    exchanges: Arc<ExchangeThread>,
    known: Mutex<Vec<(Publication, Weak<ProviderSource>)>>,
}

/// What is requested, and how.
#[derive(Clone, PartialEq, Eq)]
struct Publication {
    issuer: String,
    location: ProviderLocation,
    tls: Option<Arc<TlsSettings>>,
    algorithms: Vec<Algorithm>,
}

impl Providers {
    /// Metadata are fetched by tasks of this runtime; codes are redeemed on a thread that is started for that.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(runtime: Handle, keys: Arc<KeySources>) -> io::Result<Self> {
        Ok(Self {
            runtime,
            keys,
            exchanges: Arc::new(ExchangeThread::start()?),
            known: Mutex::default(),
        })
    }

    /// A provider under these settings. What is known of it already is kept.
    pub fn provider(&self, settings: Arc<ProviderSettings>) -> Arc<Provider> {
        let source = self.source(Publication {
            issuer: settings.issuer.clone(),
            location: settings.location.clone(),
            tls: settings.tls.clone(),
            algorithms: settings.algorithms.clone(),
        });
        let (keys, exchanges) = (Arc::clone(&self.keys), Arc::clone(&self.exchanges));
        Arc::new(Provider::new(settings, source, keys, exchanges))
    }

    fn source(&self, publication: Publication) -> Arc<ProviderSource> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, source)| source.strong_count() > 0);
        let same = known.iter().find(|(other, _)| *other == publication);
        if let Some(source) = same.and_then(|(_, source)| source.upgrade()) {
            return source;
        }
        let source = Arc::new(ProviderSource::default());
        known.push((publication.clone(), Arc::downgrade(&source)));
        match &publication.location {
            ProviderLocation::Given(endpoints) => {
                let metadata = ProviderMetadata::from((**endpoints).clone());
                let keys = publication.keys(&metadata, &self.keys);
                source.learn(KnownProvider { metadata, keys });
            }
            ProviderLocation::Metadata(url) => {
                let follower = Follower {
                    url: url.clone(),
                    wish: source.wish(),
                    source: Arc::downgrade(&source),
                    keys: Arc::clone(&self.keys),
                    publication,
                };
                self.runtime.spawn(follower.run());
            }
        }
        source
    }
}

impl Publication {
    fn keys(&self, metadata: &ProviderMetadata, sources: &KeySources) -> Arc<RemoteKeys> {
        let location = KeyLocation {
            document: KeyDocument::KeySet(metadata.endpoints.jwks.clone()),
            tls: self.tls.clone(),
        };
        let algorithms = metadata.accepted_algorithms(&self.algorithms);
        sources.keys(&self.issuer, &location, &algorithms)
    }
}

/// The metadata of an issuer, and for how long they are good.
pub(super) async fn metadata(
    issuer: &str,
    url: &HttpUrl,
    tls: Option<&TlsSettings>,
    deadline: Duration,
) -> Result<(ProviderMetadata, Duration), String> {
    let options = FetchOptions { tls, deadline };
    discover(issuer, url, options, ProviderMetadata::read).await
}

/// Keeps what is known of one provider fresh for as long as somebody needs it.
struct Follower {
    url: HttpUrl,
    publication: Publication,
    source: Weak<ProviderSource>,
    wish: Arc<Notify>,
    keys: Arc<KeySources>,
}

impl Follower {
    async fn run(self) {
        let mut failures = 0;
        loop {
            let Some(source) = self.source.upgrade() else {
                return;
            };
            let Publication { issuer, tls, .. } = &self.publication;
            let pause = match metadata(issuer, &self.url, tls.as_deref(), DEADLINE).await {
                Ok((metadata, lifetime)) => {
                    failures = 0;
                    let keys = self.publication.keys(&metadata, &self.keys);
                    source.learn(KnownProvider { metadata, keys });
                    tracing::debug!(event = "provider_discovered", issuer, url = %self.url);
                    lifetime
                }
                Err(reason) => {
                    failures += 1;
                    self.fail(&source, &reason);
                    retry_after(failures)
                }
            };
            drop(source);
            self.wait(ambient::now() + pause).await;
        }
    }

    fn fail(&self, source: &ProviderSource, reason: &str) {
        let issuer = &self.publication.issuer;
        if source.fail(reason) {
            tracing::warn!(
                event = "provider_failed",
                issuer,
                error = reason,
                "the former metadata stay in use"
            );
        } else {
            tracing::warn!(
                event = "provider_failed",
                issuer,
                error = reason,
                "nobody can sign in with the provider until it answers"
            );
        }
    }

    /// Until the next attempt is due, or somebody needs what is not known.
    async fn wait(&self, due: Instant) {
        let quiet = ambient::now() + PAUSE;
        let wished = async {
            sleep_until(quiet.into()).await;
            self.wish.notified().await;
        };
        tokio::select! {
            () = sleep_until(due.into()) => {}
            () = wished => {}
        }
    }
}
