//! The renewal of providers' sessions by two replicas over a real Redis, with a provider of the test's own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatelatch::ambient;
use gatelatch::session::{
    BrowserIdentity, BrowserSession, IdentityProvider, ProviderFuture, ProviderSession,
    RefreshedTokens, RenewalError, RenewalRequest, Renewals, SessionSelector, Sessions,
    StateSettings, Times,
};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::{CookieSessions, Key, SessionId, SessionSettings};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::support::{Redis, until};

const LIFE: u64 = 3600;

/// Exchanges every refresh token, and refuses one that was shown before, as a careful provider does.
struct Rotating {
    shown: Mutex<Vec<String>>,
    asked: AtomicUsize,
    is_away: std::sync::atomic::AtomicBool,
    /// Answers that may go out.
    answers: Semaphore,
}

struct Fresh(SecretString);

impl IdentityProvider for Rotating {
    fn name(&self) -> &str {
        "corp"
    }

    fn fingerprint(&self) -> &str {
        "f00d"
    }

    fn refresh<'a>(
        &'a self,
        refresh_token: &'a SecretString,
        _: u64,
    ) -> ProviderFuture<'a, Box<dyn RefreshedTokens + 'a>> {
        Box::pin(async move {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            self.answers.acquire().await.unwrap().forget();
            if self.is_away.load(Ordering::SeqCst) {
                return Err(RenewalError::Away("no answer".to_owned()));
            }
            let token = refresh_token.expose_secret().to_owned();
            let mut shown = self.shown.lock().unwrap();
            if shown.contains(&token) {
                return Err(RenewalError::Ended("invalid_grant".to_owned()));
            }
            shown.push(token);
            Ok(Box::new(Fresh(format!("token {number}").into())) as Box<_>)
        })
    }
}

impl RefreshedTokens for Fresh {
    fn refresh_token(&self) -> Option<&SecretString> {
        Some(&self.0)
    }

    fn confirm<'a>(
        &'a self,
        _: &'a ProviderSession,
        _: u64,
    ) -> ProviderFuture<'a, Option<BrowserIdentity>> {
        let identity = BrowserIdentity {
            subject: "alice".into(),
            roles: vec!["admin".into()],
            ..BrowserIdentity::default()
        };
        Box::pin(async { Ok(Some(identity)) })
    }
}

/// One replica, with the keys of all.
struct Replica {
    sessions: Sessions,
    renewals: Renewals,
    browsers: Arc<CookieSessions>,
    provider: Arc<Rotating>,
}

impl Replica {
    async fn start(redis: &Redis, provider: &Arc<Rotating>) -> Self {
        let hasher = ambient::hash_state();
        let settings = StateSettings::parse(&redis.url(), "/".as_ref()).unwrap();
        let sessions = Sessions::start(&settings, Metrics::new(), hasher.clone()).unwrap();
        sessions.ready().await.unwrap();
        let settings = SessionSettings {
            issuer: "gatelatch".to_owned(),
            ttl: Duration::from_secs(900),
            max_age: Duration::from_secs(LIFE),
            max_lifetime: Duration::from_secs(LIFE),
            leeway: Duration::ZERO,
        };
        let key = Key::hs256(&[7; 32]).unwrap();
        Self {
            renewals: Renewals::start(sessions.clone(), &hasher).unwrap(),
            sessions,
            browsers: Arc::new(CookieSessions::new(key.clone(), key, settings)),
            provider: Arc::clone(provider),
        }
    }

    /// A session that was confirmed a quarter of an hour ago.
    async fn begin(&self) -> SessionId {
        let (session, now) = (
            SessionId::from_bytes(ambient::random_bytes()),
            ambient::unix_seconds(),
        );
        let first = format!("first of {session}");
        let begun = BrowserSession::begun("alice", now - 900, now + LIFE);
        let mut record = begun.at_provider(ProviderSession {
            name: "corp".into(),
            fingerprint: "f00d".into(),
            sub: "1".into(),
            sid: Some("s".into()),
            auth_time: None,
            refresh_token: None,
            id_token: None,
            roles: vec!["staff".into()],
            display_name: None,
            email: None,
            checked_at: now - 900,
            turn: 0,
        });
        record.seal_refresh_token(session, self.browsers.sealer(), &first.into());
        self.sessions
            .begin_browser(session, record, times())
            .await
            .unwrap();
        session
    }

    /// Leaves word, as a request does.
    fn ask(&self, session: SessionId) {
        self.renewals.view().request(session, || RenewalRequest {
            session,
            provider: Arc::clone(&self.provider) as Arc<dyn IdentityProvider>,
            browsers: Arc::clone(&self.browsers),
            checked_at: ambient::unix_seconds() - 900,
            every: Duration::from_secs(900),
            longest_token: LIFE,
        });
    }

    fn has_renewed(&self, session: &SessionId) -> bool {
        self.renewals.view().find(session).is_some_and(|renewed| {
            let identity = renewed.identity.as_ref();
            identity.is_some_and(|identity| *identity.roles[0] == *"admin")
        })
    }
}

fn times() -> Times {
    let now = ambient::unix_seconds();
    Times {
        now,
        ttl: LIFE,
        last_token: now + LIFE,
    }
}

fn provider(answers: usize) -> Arc<Rotating> {
    Arc::new(Rotating {
        shown: Mutex::default(),
        asked: AtomicUsize::new(0),
        is_away: false.into(),
        answers: Semaphore::new(answers),
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

#[test]
fn replicas_renew_a_session_once() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let provider = provider(0);
    let (one, other, session) = run(async {
        let one = Replica::start(&redis, &provider).await;
        let other = Replica::start(&redis, &provider).await;
        let session = one.begin().await;
        (one, other, session)
    });
    // both want to while the provider takes its time
    until("a request to the provider", || {
        one.ask(session);
        other.ask(session);
        provider.asked.load(Ordering::SeqCst) > 0
    });
    for _ in 0..100 {
        one.ask(session);
        other.ask(session);
    }
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
    provider.answers.add_permits(100);
    until("both replicas to know", || {
        one.ask(session);
        other.ask(session);
        one.has_renewed(&session) && other.has_renewed(&session)
    });
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
    assert!(!one.sessions.has_ended(&session));
}

#[test]
fn a_token_that_was_exchanged_while_redis_is_away_is_stored_when_it_is_back() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let provider = provider(0);
    let (one, session) = run(async {
        let one = Replica::start(&redis, &provider).await;
        let session = one.begin().await;
        (one, session)
    });
    until("a request to the provider", || {
        one.ask(session);
        provider.asked.load(Ordering::SeqCst) == 1
    });
    redis.kill();
    provider.answers.add_permits(100);
    until("the token to be exchanged", || {
        provider.shown.lock().unwrap().len() == 1
    });
    assert!(
        !one.has_renewed(&session),
        "nothing counts before the token is stored"
    );
    redis.restart();
    until("the session to be renewed", || {
        one.ask(session);
        one.has_renewed(&session)
    });
    assert_eq!(
        provider.asked.load(Ordering::SeqCst),
        1,
        "the former token was not shown again"
    );
    // once with the token, and once with what it gave
    let record = run(one.sessions.find_browser(session)).unwrap().unwrap();
    assert_eq!(record.provider.unwrap().turn, 2);
}

#[test]
fn a_session_outlives_its_provider_and_ends_for_all_replicas_when_it_is_ended() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let provider = provider(10_000);
    provider.is_away.store(true, Ordering::SeqCst);
    let (one, other, session, lost) = run(async {
        let one = Replica::start(&redis, &provider).await;
        let other = Replica::start(&redis, &provider).await;
        let (session, lost) = (one.begin().await, one.begin().await);
        (one, other, session, lost)
    });
    until("two tries", || {
        one.ask(session);
        other.ask(session);
        provider.asked.load(Ordering::SeqCst) >= 2
    });
    assert!(!one.sessions.has_ended(&session) && !one.has_renewed(&session));
    provider.is_away.store(false, Ordering::SeqCst);
    until("a renewal", || {
        one.ask(session);
        one.has_renewed(&session)
    });
    // a session whose token somebody else has shown ends, and its provider ends the other by its `sid`
    let stolen = format!("first of {lost}");
    provider.shown.lock().unwrap().push(stolen);
    until("the end of the session whose token was stolen", || {
        one.ask(lost);
        other.sessions.has_ended(&lost)
    });
    assert!(!other.sessions.has_ended(&session));
    let sid = SessionSelector::ProviderSid("corp".into(), "s".into());
    assert_eq!(run(other.sessions.end_selected(&sid, times())), Ok(1));
    until("the end at the other replica", || {
        one.sessions.has_ended(&session)
    });
}
