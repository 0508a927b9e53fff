//! All key sets that are fetched, over every reload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
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

/// How long keys count that should have been fetched again, while their issuer does not answer. Afterwards its tokens are
/// refused: a retired key must not stay good for whoever keeps the gateway from the issuer.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// The key sets that are fetched. They are shared by all snapshots that need them, so that a reload loses no key, and
/// are forgotten with the last one.
pub struct KeySources {
    runtime: Handle,
    metrics: Arc<Metrics>,
    known: Mutex<HashMap<Source, Weak<RemoteKeys>>>,
    changes: watch::Sender<()>,
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
            changes: watch::Sender::new(()),
        }
    }

    /// Hears of each further change of any key set. Whoever keeps connections open on behalf of a token looks again then.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
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
        let keys = Arc::new(RemoteKeys::new(self.changes.clone()));
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
                    self.fail(&keys, &why, ambient::unix_seconds());
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
        let former = keys.fetched();
        let changed = former.to_jwks() != new.to_jwks() || former.rejected() != new.rejected();
        let count = new.keys().len();
        if changed {
            for key in new.rejected() {
                tracing::warn!(event = "jwks_key_rejected", issuer, %url, reason = %key, "a published key is broken");
            }
            keys.replace(new);
        }
        keys.confirm(good_until(ambient::unix_seconds(), fetched.lifetime));
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

    /// Notes that a fetch failed at `now`, in seconds since 1970. Keys whose time is over are dropped, and that is said once.
    fn fail(&self, keys: &RemoteKeys, why: &str, now: u64) {
        let Source { issuer, url, .. } = &self.source;
        self.metrics.jwks_fetched(issuer, FetchOutcome::Failure);
        if keys.count(now) {
            tracing::warn!(event = "jwks_failed", issuer, %url, error = why, "the former keys stay in use");
        } else if keys.fetched().keys().is_empty() {
            tracing::warn!(event = "jwks_failed", issuer, %url, error = why, "no key is known, and the issuer's tokens are refused");
        } else {
            keys.replace(KeySet::default());
            tracing::error!(event = "jwks_expired", issuer, %url, error = why, "the former keys count no more, and the issuer's tokens are refused until it answers");
        }
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

/// Until when keys count that were fetched at `now` and are fetched again after `lifetime`; in seconds since 1970.
fn good_until(now: u64, lifetime: Duration) -> u64 {
    now.saturating_add((lifetime + GRACE).as_secs())
}

/// One second, doubled with each failure, up to a minute.
fn retry_after(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::VerifyingKey;

    #[test]
    fn an_issuer_that_does_not_answer_is_asked_less_and_less_often() {
        let seconds: Vec<u64> = [1, 2, 3, 6, 7, 8, 1000]
            .map(|failures| retry_after(failures).as_secs())
            .into();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }

    fn follower(keys: &Arc<RemoteKeys>) -> Follower {
        Follower {
            source: Source {
                issuer: "https://idp".to_owned(),
                url: HttpUrl::parse("https://idp/keys").unwrap(),
                algorithms: vec![Algorithm::Es256],
            },
            wish: keys.wish(),
            keys: Arc::downgrade(keys),
            metrics: Metrics::new(),
        }
    }

    #[test]
    fn former_keys_count_for_a_day_after_they_should_have_been_fetched_again() {
        const NOW: u64 = 1_800_000_000;
        let pem = include_str!("../../tests/keys/p256.pub.pem");
        let key = VerifyingKey::from_pem(Algorithm::Es256, pem, Some("a")).unwrap();
        let keys: Arc<RemoteKeys> = Arc::default();
        let follower = follower(&keys);
        let counts = |now| (keys.current(now).keys().len(), keys.fetched().keys().len());
        assert_eq!(counts(NOW), (0, 0), "nothing was fetched");
        keys.replace(KeySet::new(vec![key]));
        assert_eq!(counts(NOW), (0, 1), "nobody said until when they count");
        let end = good_until(NOW, Duration::from_secs(3600));
        assert_eq!(end, NOW + 3600 + 86_400);
        keys.confirm(end);
        for now in [NOW, NOW + 3600, end - 1] {
            follower.fail(&keys, "it does not answer", now);
            assert_eq!(counts(now), (1, 1), "{now}");
        }
        assert_eq!(counts(end), (0, 1), "nobody waits for the next attempt");
        follower.fail(&keys, "it does not answer", end);
        assert_eq!(
            counts(end),
            (0, 0),
            "tokens that were verified are verified again"
        );
        follower.fail(&keys, "it does not answer", end + 60);
        // a clock that is set back revives nothing
        assert_eq!(counts(NOW), (0, 0));
        assert_eq!(good_until(u64::MAX, Duration::from_secs(1)), u64::MAX);
    }
}
