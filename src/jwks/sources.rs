//! All key sets that are fetched, over every reload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::fetch::fetch;
use crate::ambient;
use crate::net::HttpUrl;
use crate::telemetry::metrics::{FetchOutcome, Metrics};
use crate::token::{Algorithm, KeySet, RemoteKeys};

/// How long tokens with unknown keys cause no further fetch, for each issuer: whoever sends such tokens must not be able
/// to make the gateway hammer at the issuer.
const PAUSE: Duration = Duration::from_secs(30);

/// The longest wait between two attempts while an issuer does not answer.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The key sets that are fetched. They are shared by all snapshots that need them, so that a reload loses no key, and
/// are forgotten with the last one.
pub struct KeySources {
    runtime: Handle,
    metrics: Arc<Metrics>,
    known: Mutex<HashMap<Source, Weak<RemoteKeys>>>,
}

/// What is fetched, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Source {
    issuer: String,
    url: HttpUrl,
    algorithms: Vec<Algorithm>,
}

impl KeySources {
    /// Keys are fetched by tasks of this runtime.
    pub fn new(runtime: Handle, metrics: Arc<Metrics>) -> Self {
        Self {
            runtime,
            metrics,
            known: Mutex::default(),
        }
    }

    /// The keys of an issuer: those that are fetched already, else a set that is empty until the first fetch is over.
    pub fn keys(&self, issuer: &str, url: &HttpUrl, algorithms: &[Algorithm]) -> Arc<RemoteKeys> {
        let source = Source {
            issuer: issuer.to_owned(),
            url: url.clone(),
            algorithms: algorithms.to_vec(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, keys| keys.strong_count() > 0);
        if let Some(keys) = known.get(&source).and_then(Weak::upgrade) {
            return keys;
        }
        let keys = Arc::new(RemoteKeys::default());
        known.insert(source.clone(), Arc::downgrade(&keys));
        let follower = Follower {
            source,
            wish: keys.wish(),
            keys: Arc::downgrade(&keys),
            metrics: Arc::clone(&self.metrics),
        };
        self.runtime.spawn(follower.run());
        keys
    }
}

/// Keeps one key set fresh for as long as somebody needs it.
struct Follower {
    source: Source,
    keys: Weak<RemoteKeys>,
    wish: Arc<Notify>,
    metrics: Arc<Metrics>,
}

/// Why keys are fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Due,
    Wished,
}

impl Follower {
    async fn run(self) {
        let (mut cause, mut failures) = (Cause::Due, 0);
        // until when no wish is heard
        let mut quiet = ambient::now();
        loop {
            let Some(keys) = self.keys.upgrade() else {
                return;
            };
            if cause == Cause::Wished {
                quiet = ambient::now() + PAUSE;
            }
            let wait = match self.fetch(&keys).await {
                Ok(lifetime) => {
                    failures = 0;
                    lifetime
                }
                Err(why) => {
                    failures += 1;
                    self.metrics
                        .jwks_fetched(&self.source.issuer, FetchOutcome::Failure);
                    let Source { issuer, url, .. } = &self.source;
                    tracing::warn!(event = "jwks_failed", issuer, %url, error = why, "the former keys stay in use");
                    retry_after(failures)
                }
            };
            drop(keys);
            cause = self.wait(ambient::now() + wait, quiet).await;
        }
    }

    /// How long the fetched keys are good for.
    async fn fetch(&self, keys: &RemoteKeys) -> Result<Duration, String> {
        let Source {
            issuer,
            url,
            algorithms,
        } = &self.source;
        let fetched = fetch(url).await.map_err(|error| error.to_string())?;
        let new =
            KeySet::from_jwks(&fetched.body, algorithms).map_err(|error| error.to_string())?;
        self.metrics.jwks_fetched(issuer, FetchOutcome::Success);
        let (count, changed) = (new.keys().len(), keys.current().to_jwks() != new.to_jwks());
        if changed {
            keys.replace(new);
        }
        match (count, changed) {
            // the issuer has taken all of them back, or has some for other algorithms only
            (0, _) => {
                tracing::warn!(event = "jwks_fetched", issuer, %url, keys = 0, "no published key is of use")
            }
            (keys, true) => tracing::info!(event = "jwks_fetched", issuer, %url, keys),
            (keys, false) => tracing::debug!(event = "jwks_fetched", issuer, %url, keys),
        }
        Ok(fetched.lifetime)
    }

    async fn wait(&self, due: Instant, quiet: Instant) -> Cause {
        let wished = async {
            sleep_until(quiet.into()).await;
            self.wish.notified().await;
        };
        tokio::select! {
            () = sleep_until(due.into()) => Cause::Due,
            () = wished => Cause::Wished,
        }
    }
}

/// One second, doubled with each failure, up to a minute.
fn retry_after(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_that_does_not_answer_is_asked_less_and_less_often() {
        let seconds: Vec<u64> = [1, 2, 3, 6, 7, 8, 1000]
            .map(|failures| retry_after(failures).as_secs())
            .into();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }
}
