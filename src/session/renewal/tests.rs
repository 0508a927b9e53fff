//! The service with a provider of the test's own, over the memory of one process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;

use super::*;
use crate::ambient;
use crate::session::browser::{BrowserIdentity, BrowserSession, ProviderSession};
use crate::session::{Sessions, StateSettings, Times};
use crate::telemetry::metrics::Metrics;
use crate::token::{CookieSessions, Key, SessionId, SessionSettings};

const EVERY: Duration = Duration::from_secs(900);

/// How the provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mood {
    /// With another refresh token and these roles.
    Rotates(&'static str),
    /// Without another refresh token, saying nothing of the user.
    Silent,
    Away,
    Refuses,
    /// With a user of another name.
    Renames,
    /// The token is exchanged, the userinfo is not to be had.
    HalfAway,
}

struct Provider {
    mood: Mutex<Mood>,
    /// The refresh tokens that were shown.
    shown: Mutex<Vec<String>>,
    asked: AtomicUsize,
    answers: Notify,
    waits: bool,
}

struct Tokens {
    mood: Mood,
    fresh: Option<SecretString>,
}

impl IdentityProvider for Provider {
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
            let shown = refresh_token.expose_secret().to_owned();
            self.shown.lock().unwrap().push(shown);
            if self.waits {
                self.answers.notified().await;
            }
            let mood = self.mood.lock().unwrap().clone();
            match mood {
                Mood::Away => Err(RenewalError::Away("no answer".to_owned())),
                Mood::Refuses => Err(RenewalError::Ended("invalid_grant".to_owned())),
                Mood::Silent => Ok(Box::new(Tokens { mood, fresh: None }) as Box<_>),
                Mood::Rotates(_) | Mood::Renames | Mood::HalfAway => {
                    let fresh = Some(format!("token {number}").into());
                    Ok(Box::new(Tokens { mood, fresh }) as Box<_>)
                }
            }
        })
    }
}

impl RefreshedTokens for Tokens {
    fn refresh_token(&self) -> Option<&SecretString> {
        self.fresh.as_ref()
    }

    fn confirm<'a>(
        &'a self,
        session: &'a ProviderSession,
        _: u64,
    ) -> ProviderFuture<'a, Option<BrowserIdentity>> {
        assert_eq!(&*session.sub, "1");
        let identity = |subject: &str, role: &str| BrowserIdentity {
            subject: subject.into(),
            roles: vec![role.into()],
            ..BrowserIdentity::default()
        };
        let confirmed = match self.mood {
            Mood::Rotates(role) => Ok(Some(identity("alice", role))),
            Mood::Renames => Ok(Some(identity("mallory", "admin"))),
            Mood::HalfAway => Err(RenewalError::Away("no userinfo".to_owned())),
            Mood::Silent | Mood::Away | Mood::Refuses => Ok(None),
        };
        Box::pin(async move { confirmed })
    }
}

/// A service, its store, and what its sessions are sealed with.
struct World {
    sessions: Sessions,
    renewals: Renewals,
    view: RenewalView,
    provider: Arc<Provider>,
    browsers: Arc<CookieSessions>,
}

fn browsers(secret: u8) -> Arc<CookieSessions> {
    let settings = SessionSettings {
        issuer: "gatelatch".to_owned(),
        ttl: Duration::from_secs(900),
        max_age: Duration::from_secs(9000),
        max_lifetime: Duration::from_secs(9000),
        leeway: Duration::ZERO,
    };
    let key = Key::hs256(&[secret; 32]).unwrap();
    Arc::new(CookieSessions::new(key.clone(), key, settings))
}

fn world(mood: Mood) -> World {
    world_of(mood, false)
}

fn world_of(mood: Mood, waits: bool) -> World {
    let hasher = ambient::hash_state();
    let sessions = Sessions::start(&StateSettings::Memory, Metrics::new(), hasher.clone());
    let sessions = sessions.unwrap();
    let renewals = Renewals::start(sessions.clone(), &hasher).unwrap();
    let provider = Provider {
        mood: Mutex::new(mood),
        shown: Mutex::default(),
        asked: AtomicUsize::new(0),
        answers: Notify::new(),
        waits,
    };
    World {
        view: renewals.view(),
        sessions,
        renewals,
        provider: Arc::new(provider),
        browsers: browsers(1),
    }
}

impl World {
    /// A session that the provider confirmed so many seconds ago.
    async fn begin(&self, age: u64) -> SessionId {
        let (session, now) = (
            SessionId::from_bytes(ambient::random_bytes()),
            ambient::unix_seconds(),
        );
        let provider = ProviderSession {
            name: "corp".into(),
            fingerprint: "f00d".into(),
            sub: "1".into(),
            sid: None,
            auth_time: None,
            refresh_token: None,
            id_token: None,
            roles: vec!["staff".into()],
            display_name: None,
            email: None,
            checked_at: now - age,
            turn: 0,
        };
        let record = BrowserSession::begun("alice", now - age, now + 9000);
        let mut record = record.at_provider(provider);
        record.seal_refresh_token(session, self.browsers.sealer(), &"token 0".into());
        let times = Times {
            now,
            ttl: 60,
            last_token: now + 60,
        };
        self.sessions
            .begin_browser(session, record, times)
            .await
            .unwrap();
        session
    }

    fn request(&self, session: SessionId, checked_at: u64) -> RenewalRequest {
        RenewalRequest {
            session,
            provider: Arc::clone(&self.provider) as Arc<dyn IdentityProvider>,
            browsers: Arc::clone(&self.browsers),
            checked_at,
            every: EVERY,
            longest_token: 60,
        }
    }

    /// Asks, as requests of several workers do, until it is so.
    async fn ask_until(&self, session: SessionId, what: &str, is_so: impl AsyncFn() -> bool) {
        let checked_at = ambient::unix_seconds() - 900;
        for _ in 0..2000 {
            // each view asks once a second
            let view = self.renewals.view();
            view.request(session, || self.request(session, checked_at));
            if is_so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to: {what}");
    }

    async fn ask_until_renewed(&self, session: SessionId) -> Arc<RenewedSession> {
        let is_there = async || self.view.find(&session).is_some();
        self.ask_until(session, "a renewal", is_there).await;
        self.view.find(&session).unwrap()
    }

    async fn record(&self, session: SessionId) -> Option<BrowserSession> {
        self.sessions.find_browser(session).await.unwrap()
    }

    async fn token(&self, session: SessionId) -> String {
        let record = self.record(session).await.unwrap();
        let token = record.open_refresh_token(session, self.browsers.sealer());
        token.unwrap().expose_secret().to_owned()
    }

    fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }

    fn set(&self, mood: Mood) {
        *self.provider.mood.lock().unwrap() = mood;
    }
}

#[tokio::test]
async fn a_renewal_stores_the_exchanged_token_and_tells_requests() {
    let world = world(Mood::Rotates("admin"));
    let session = world.begin(900).await;
    assert!(world.view.find(&session).is_none());
    let renewed = world.ask_until_renewed(session).await;
    assert_eq!(&*renewed.identity.as_ref().unwrap().roles[0], "admin");
    assert!(renewed.is_renewable && renewed.checked_at + 60 > ambient::unix_seconds());
    assert_eq!(
        (world.asked(), world.token(session).await.as_str()),
        (1, "token 1")
    );
    let record = world.record(session).await.unwrap();
    assert_eq!(record.turn(), 2, "the token is stored before what it gave");
    // who knows less is told from the store, and the provider is left alone
    let other = Renewals::start(world.sessions.clone(), &ambient::hash_state()).unwrap();
    let view = other.view();
    let old = ambient::unix_seconds() - 900;
    view.request(session, || world.request(session, old));
    while view.find(&session).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((view.find(&session).unwrap(), world.asked()), (renewed, 1));
}

#[tokio::test]
async fn a_provider_that_says_nothing_new_confirms() {
    let world = world(Mood::Silent);
    let session = world.begin(900).await;
    let renewed = world.ask_until_renewed(session).await;
    assert_eq!(&*renewed.identity.as_ref().unwrap().roles[0], "staff");
    assert_eq!(world.token(session).await, "token 0");
}

#[tokio::test]
async fn a_session_that_is_not_due_is_not_asked_for() {
    let world = world(Mood::Silent);
    let session = world.begin(599).await;
    let renewed = world.ask_until_renewed(session).await;
    assert_eq!(world.asked(), 0);
    assert!(renewed.is_renewable);
}

#[tokio::test]
async fn a_session_is_renewed_once_at_a_time() {
    let world = world_of(Mood::Rotates("admin"), true);
    let session = world.begin(900).await;
    world
        .ask_until(session, "a request", async || world.asked() == 1)
        .await;
    for _ in 0..100 {
        let view = world.renewals.view();
        view.request(session, || world.request(session, 0));
    }
    world.provider.answers.notify_one();
    world.ask_until_renewed(session).await;
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn a_session_that_is_refused_ends_and_so_does_one_of_another_user() {
    for mood in [Mood::Refuses, Mood::Renames] {
        let world = world(mood);
        let session = world.begin(900).await;
        world
            .ask_until(session, "the end", async || {
                world.sessions.has_ended(&session)
            })
            .await;
        assert_eq!(world.record(session).await, None);
        assert_eq!(world.asked(), 1);
    }
}

#[tokio::test]
async fn a_session_outlives_its_provider_and_is_renewed_when_that_is_back() {
    let world = world(Mood::Away);
    let session = world.begin(900).await;
    world
        .ask_until(session, "a try", async || world.asked() == 1)
        .await;
    assert!(!world.sessions.has_ended(&session));
    assert!(world.view.find(&session).is_none());
    // a provider that exchanges the token and then fails has not lost it
    world.set(Mood::HalfAway);
    world
        .ask_until(session, "another", async || world.asked() == 2)
        .await;
    let stored = async || world.token(session).await == "token 2";
    world
        .ask_until(session, "the token to be stored", stored)
        .await;
    world.set(Mood::Rotates("admin"));
    world.ask_until_renewed(session).await;
    let shown = world.provider.shown.lock().unwrap().clone();
    assert_eq!(shown, ["token 0", "token 0", "token 2"]);
    assert_eq!(world.token(session).await, "token 3");
}

#[tokio::test]
async fn an_outage_with_a_thousand_sessions_is_no_storm() {
    let world = world(Mood::Away);
    let mut sessions = Vec::new();
    for _ in 0..1000 {
        sessions.push(world.begin(900).await);
    }
    let checked_at = ambient::unix_seconds() - 900;
    let begun = ambient::now();
    // each session is asked for again and again for as long as the pauses have been growing three times
    while world.asked() < 3 {
        for session in &sessions {
            let view = world.renewals.view();
            view.request(*session, || world.request(*session, checked_at));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    // 8 at most when it goes, and then one for each pause of 1, 2, 4… seconds
    let pauses = (seconds + 1.0).log2().ceil() as usize;
    assert!(
        world.asked() <= 8 + pauses,
        "{} in {seconds} s",
        world.asked()
    );
    assert!(
        sessions
            .iter()
            .all(|session| !world.sessions.has_ended(session))
    );
}

#[tokio::test]
async fn who_writes_to_the_store_gives_no_session_another_identity() {
    let world = world(Mood::Silent);
    for age in [900, 0] {
        let session = world.begin(age).await;
        let mut forged = world.record(session).await.unwrap();
        let provider = forged.provider.as_mut().unwrap();
        provider.roles = vec!["admin".into()];
        provider.checked_at = ambient::unix_seconds();
        let now = ambient::unix_seconds();
        let stored = world.sessions.update_browser(session, forged, 0, now);
        assert_eq!(stored.await, Ok(true));
        let known = world.ask_until_renewed(session).await;
        assert_eq!((&known.identity, known.is_renewable), (&None, false));
    }
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn a_session_without_a_readable_record_is_not_renewable() {
    let mut world = world(Mood::Silent);
    let unknown = SessionId::from_bytes(ambient::random_bytes());
    assert!(!world.ask_until_renewed(unknown).await.is_renewable);
    // another secret, without the former one among the previous
    let session = world.begin(900).await;
    world.browsers = browsers(2);
    assert!(!world.ask_until_renewed(session).await.is_renewable);
    assert_eq!(world.asked(), 0);
    assert!(
        !world.sessions.has_ended(&session),
        "it lasts until it is to be renewed"
    );
}
