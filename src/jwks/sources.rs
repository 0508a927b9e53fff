//! All key sets that are fetched, over every reload.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::discovery::discover_keys;
use super::fetch::{DEADLINE, FetchOptions, fetch};
use super::location::{KeyDocument, KeyLocation};
use crate::ambient;
use crate::net::HttpUrl;
use crate::telemetry::metrics::{FetchOutcome, Metrics};
use crate::token::{Algorithm, KeySet, KeyWish, RemoteKeys};

/// How long tokens that fit no key cause no further fetch, for each issuer, after one that brought nothing new: whoever
/// sends such tokens must not be able to make the gateway hammer at the issuer.
const PAUSE: Duration = Duration::from_secs(30);

/// The same after a fetch that brought a new key: an issuer that rotates its keys twice is followed.
const PAUSE_WHILE_KEYS_CHANGE: Duration = Duration::from_secs(5);

/// The shortest time from one fetch to the next, where the issuer itself has answered with a token that fits no key: less
/// than a sign-in waits for it.
const PAUSE_FOR_ANSWERS: Duration = Duration::from_secs(2);

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
    known: Mutex<Vec<(Source, Weak<RemoteKeys>)>>,
    changes: watch::Sender<()>,
}

/// What is fetched, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    issuer: String,
    location: KeyLocation,
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
    pub fn keys(
        &self,
        issuer: &str,
        location: &KeyLocation,
        algorithms: &[Algorithm],
    ) -> Arc<RemoteKeys> {
        let source = Source {
            issuer: issuer.to_owned(),
            location: location.clone(),
            algorithms: algorithms.to_vec(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, keys)| keys.strong_count() > 0);
        let same = known.iter().find(|(other, _)| *other == source);
        if let Some(keys) = same.and_then(|(_, keys)| keys.upgrade()) {
            return keys;
        }
        let keys = Arc::new(RemoteKeys::new(self.changes.clone()));
        known.push((source.clone(), Arc::downgrade(&keys)));
        let follower = Follower {
            key_set: match &location.document {
                KeyDocument::KeySet(url) => Some(url.clone()),
                KeyDocument::Metadata(_) => None,
            },
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
    /// Where the key set is, as far as that is known.
    key_set: Option<HttpUrl>,
    keys: Weak<RemoteKeys>,
    wish: Arc<KeyWish>,
    metrics: Arc<Metrics>,
}

/// Why keys are fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Due,
    Wished,
}

/// What a fetch comes to.
struct Outcome {
    lifetime: Duration,
    has_new_key: bool,
}

impl Follower {
    async fn run(mut self) {
        let (mut cause, mut failures) = (Cause::Due, 0);
        let mut due = ambient::now();
        // until when no token that somebody sends is heard
        let mut quiet = due;
        loop {
            let Some(keys) = self.keys.upgrade() else {
                return;
            };
            let begun = ambient::now();
            let has_new_key = match self.fetch(&keys, cause).await {
                Ok(outcome) => {
                    failures = 0;
                    due = ambient::now() + outcome.lifetime;
                    outcome.has_new_key
                }
                Err(why) => {
                    self.fail(&keys, &why, ambient::unix_seconds());
                    // what clients send has no further attempts made
                    if cause == Cause::Due {
                        failures += 1;
                        due = ambient::now() + retry_after(failures);
                    }
                    false
                }
            };
            if cause == Cause::Wished {
                quiet = begun + pause(has_new_key);
            }
            drop(keys);
            cause = self.wait(due, quiet, begun + PAUSE_FOR_ANSWERS).await;
        }
    }

    /// Requests the key set. The metadata that lead to it are requested when that is due, and where they are not known:
    /// what clients send causes one request.
    async fn fetch(&mut self, keys: &RemoteKeys, cause: Cause) -> Result<Outcome, String> {
        let Source {
            issuer,
            location,
            algorithms,
        } = &self.source;
        let options = FetchOptions {
            tls: location.tls.as_deref(),
            deadline: DEADLINE,
        };
        let url = match (&location.document, &self.key_set) {
            (KeyDocument::KeySet(url), _) => url.clone(),
            (KeyDocument::Metadata(_), Some(known)) if cause == Cause::Wished => known.clone(),
            (KeyDocument::Metadata(url), _) => discover_keys(issuer, url, options).await?,
        };
        let url = &*self.key_set.insert(url);
        let fetched = fetch(url, options)
            .await
            .map_err(|error| error.to_string())?;
        let new =
            KeySet::from_jwks(&fetched.body, algorithms).map_err(|error| error.to_string())?;
        self.metrics.jwks_fetched(issuer, FetchOutcome::Success);
        let former = keys.fetched();
        let has_new_key = new.has_more_than(&former);
        let changed = former.to_jwks() != new.to_jwks() || former.flaws() != new.flaws();
        let count = new.count();
        let good_until = good_until(ambient::unix_seconds(), fetched.lifetime);
        if changed {
            for key in new.flaws() {
                let event = if key.is_used {
                    "jwks_key_repaired"
                } else {
                    "jwks_key_rejected"
                };
                tracing::warn!(event, issuer, %url, reason = %key, "a published key is broken");
            }
            keys.renew(new, good_until);
        } else {
            keys.confirm(good_until);
        }
        match (count, changed) {
            // the issuer has taken all of them back, or has some for other algorithms only
            (0, _) => {
                tracing::warn!(event = "jwks_fetched", issuer, %url, keys = 0, "no published key is of use")
            }
            (keys, true) => tracing::info!(event = "jwks_fetched", issuer, %url, keys),
            (keys, false) => tracing::debug!(event = "jwks_fetched", issuer, %url, keys),
        }
        Ok(Outcome {
            lifetime: fetched.lifetime,
            has_new_key,
        })
    }

    /// Notes that a fetch failed at `now`, in seconds since 1970. Keys whose time is over are dropped, and that is said once.
    fn fail(&self, keys: &RemoteKeys, why: &str, now: u64) {
        let Source {
            issuer, location, ..
        } = &self.source;
        let (KeyDocument::KeySet(url) | KeyDocument::Metadata(url)) = &location.document;
        let url = self.key_set.as_ref().unwrap_or(url);
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

    /// Waits until the keys are due, or wanted: by a token once the first pause is over, by an answer after the second.
    async fn wait(&self, due: Instant, quiet: Instant, quiet_for_answers: Instant) -> Cause {
        let by_token = async {
            sleep_until(quiet.into()).await;
            self.wish.by_token().await;
        };
        let by_answer = async {
            sleep_until(quiet_for_answers.into()).await;
            self.wish.by_answer().await;
        };
        tokio::select! {
            () = sleep_until(due.into()) => Cause::Due,
            () = by_token => Cause::Wished,
            () = by_answer => Cause::Wished,
        }
    }
}

/// How long no token is heard after a fetch that one caused.
fn pause(has_new_key: bool) -> Duration {
    if has_new_key {
        PAUSE_WHILE_KEYS_CHANGE
    } else {
        PAUSE
    }
}

/// Until when keys count that were fetched at `now` and are fetched again after `lifetime`; in seconds since 1970.
fn good_until(now: u64, lifetime: Duration) -> u64 {
    now.saturating_add((lifetime + GRACE).as_secs())
}

/// How long an issuer that did not answer is left alone: one second, doubled with each failure, up to a minute.
pub fn retry_after(failures: u32) -> Duration {
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
                location: KeyLocation {
                    document: KeyDocument::KeySet(HttpUrl::parse("https://idp/keys").unwrap()),
                    tls: None,
                },
                algorithms: vec![Algorithm::Es256],
            },
            key_set: None,
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
