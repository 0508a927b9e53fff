//! Keys that are fetched from elsewhere: what is known of them now, and the wish for newer ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Notify, watch};

use super::key_set::KeySet;

/// The last keys that were fetched; none at first. Who verifies never waits for a fetch. They count up to a moment that
/// each fetch sets anew: whoever keeps the gateway from an issuer must not keep its former keys good for ever.
#[derive(Debug, Default)]
pub struct RemoteKeys {
    fetched: RwLock<Arc<KeySet>>,
    /// In seconds since 1970; 0 before the first fetch.
    good_until: AtomicU64,
    version: AtomicU64,
    wish: Arc<KeyWish>,
    changes: watch::Sender<()>,
}

/// Newer keys are wanted.
#[derive(Debug, Default)]
pub struct KeyWish {
    by_token: Notify,
    by_answer: Notify,
}

impl RemoteKeys {
    /// None so far. `changes` hears of each replacement, of these keys and of all others that share it.
    pub fn new(changes: watch::Sender<()>) -> Self {
        Self {
            fetched: RwLock::default(),
            good_until: AtomicU64::default(),
            version: AtomicU64::default(),
            wish: Arc::default(),
            changes,
        }
    }

    /// The keys that count at `now`, in seconds since 1970; none after their end.
    pub fn current(&self, now: u64) -> Arc<KeySet> {
        if self.count(now) {
            self.fetched()
        } else {
            Arc::default()
        }
    }

    /// Whether what was fetched counts at `now`, in seconds since 1970.
    pub fn count(&self, now: u64) -> bool {
        now < self.good_until.load(Ordering::Acquire)
    }

    /// The keys of the last fetch, whether they count or not.
    pub fn fetched(&self) -> Arc<KeySet> {
        // nothing can panic while the lock is held, so a poisoned one is sound
        Arc::clone(&self.fetched.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The issuer publishes these keys still: they count until then, in seconds since 1970.
    pub fn confirm(&self, good_until: u64) {
        self.good_until.store(good_until, Ordering::Release);
    }

    /// Other keys are known from now on. What was verified with the former ones is verified again.
    pub fn replace(&self, keys: KeySet) {
        *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        self.version.fetch_add(1, Ordering::Release);
        self.changes.send_replace(());
    }

    /// The same, and they count until then, in seconds since 1970: whoever hears of the change can use them.
    pub fn renew(&self, keys: KeySet, good_until: u64) {
        *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        self.confirm(good_until);
        self.version.fetch_add(1, Ordering::Release);
        self.changes.send_replace(());
    }

    /// Hears that newer keys are wanted, and of the end of these.
    pub fn wish(&self) -> Arc<KeyWish> {
        Arc::clone(&self.wish)
    }

    /// The issuer itself has answered with a token that these keys do not verify: nobody else can bring that about.
    pub fn want_for_answer(&self) {
        self.wish.by_answer.notify_one();
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn want(&self) {
        self.wish.by_token.notify_one();
    }
}

impl KeyWish {
    /// Somebody has sent a token with an unknown key, or nobody needs the keys any more.
    pub async fn by_token(&self) {
        self.by_token.notified().await;
    }

    /// See [`RemoteKeys::want_for_answer`].
    pub async fn by_answer(&self) {
        self.by_answer.notified().await;
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        // whoever fetches them sees that nobody needs them any more
        self.wish.by_token.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::Subjects;
    use crate::token::{
        Algorithm, AudienceRule, ClaimPath, Holder, IssuerKeys, IssuerSettings, Key, SignIn,
        TokenError, TokenIssuer, TrustSettings, TrustedIssuer, TrustedIssuers,
    };

    const NOW: u64 = 1_800_000_000;
    const END: u64 = NOW + 100;

    fn token(key: &Key) -> String {
        let settings = IssuerSettings {
            issuer: "https://idp".to_owned(),
            audience: "api".to_owned(),
            access_ttl: Duration::from_secs(3600),
            roles_claim: ClaimPath::of("roles"),
            longest_token: usize::MAX,
        };
        let holder = Holder {
            subject: "walter",
            roles: &[],
            name: None,
            email: None,
            claims: None,
            session: None,
            sign_in: SignIn::default(),
        };
        let issued = TokenIssuer::new(key.clone(), settings).issue(&holder, [0; 16], NOW);
        issued.unwrap().token
    }

    #[test]
    fn fetched_keys_verify_nothing_after_their_end() {
        let pem = include_str!("../../tests/keys/p256.pem");
        let key = Key::from_pem(Algorithm::Es256, pem, Some("a")).unwrap();
        let keys: Arc<RemoteKeys> = Arc::default();
        let settings = TrustSettings {
            issuer: "https://idp".to_owned(),
            audience: AudienceRule {
                claim: ClaimPath::of("aud"),
                one_of: vec!["api".to_owned()],
            },
            subject: ClaimPath::of("sub"),
            algorithms: vec![Algorithm::Es256],
            roles_claim: ClaimPath::of("roles"),
            subjects: Subjects::Foreign,
            leeway: Duration::ZERO,
            max_lifetime: Duration::MAX,
        };
        let issuers = TrustedIssuers::new(vec![TrustedIssuer {
            settings,
            keys: IssuerKeys::Remote(Arc::clone(&keys)),
        }]);
        let token = token(&key);
        let verify = |now| issuers.verify(&token, now).unwrap();
        assert_eq!(verify(NOW), Err(TokenError::KeyId), "nothing was fetched");
        keys.replace(KeySet::from(key));
        assert_eq!(
            verify(NOW),
            Err(TokenError::KeyId),
            "without an end they never count"
        );
        keys.confirm(END);
        let held = verify(END - 1).unwrap();
        assert!(issuers.is_still_valid(&held, END - 1));
        assert!(
            !issuers.is_still_valid(&held, END),
            "a token that is remembered"
        );
        assert!(
            !issuers.is_still_valid(&held, NOW - 1),
            "the clock was set back to before its `iat`"
        );
        assert_eq!(verify(END), Err(TokenError::KeyId));
        keys.confirm(END + 1);
        assert_eq!(verify(END), Ok(held), "the issuer answers again");
    }
}
