//! What the store records of sessions, and what is good once: the same in every kind of store, on two replicas of it.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use gatelatch::ambient;
use gatelatch::session::{
    BrowserSession, OnceKey, OnceUse, ProviderSession, RefreshToken, SessionKind, SessionSelector,
    Sessions, StateSettings, Times,
};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::{Key, Sealer, SessionId, SignIn};

use crate::support::{Redis, on_a_port, until};

/// Far enough away that nothing of it expires during the test, whatever it is called by the server's clock.
const LIFE: u64 = 3600;

fn open(state: &str) -> Sessions {
    let settings = StateSettings::parse(state, Path::new("/nowhere")).unwrap();
    Sessions::start(&settings, Metrics::new(), ambient::hash_state()).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn times() -> Times {
    let now = ambient::unix_seconds();
    Times {
        now,
        ttl: LIFE,
        last_token: now + LIFE,
    }
}

fn session() -> SessionId {
    SessionId::from_bytes(ambient::random_bytes())
}

fn local(subject: &str) -> BrowserSession {
    let now = ambient::unix_seconds();
    BrowserSession::begun(subject, now, now + LIFE)
}

fn at_provider(subject: &str, sub: &str, sid: Option<&str>) -> BrowserSession {
    local(subject).at_provider(ProviderSession {
        name: "corp".into(),
        fingerprint: "Zm9vYmFy".into(),
        sub: sub.into(),
        sid: sid.map(Into::into),
        auth_time: Some(ambient::unix_seconds()),
        refresh_token: None,
        id_token: None,
        roles: vec!["staff".into()],
        display_name: None,
        email: None,
        checked_at: ambient::unix_seconds(),
        turn: 0,
    })
}

/// All that is listed, as kind, user and provider.
async fn listed(
    sessions: &Sessions,
    user: Option<&str>,
    provider: Option<&str>,
) -> Vec<(SessionKind, String, Option<String>)> {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let page = sessions
            .list_sessions(user, provider, place, ambient::unix_seconds())
            .await
            .unwrap();
        all.extend(page.list);
        from = page.next;
    }
    let mut all: Vec<_> = all
        .into_iter()
        .map(|one| {
            let provider = one.provider.map(String::from);
            (one.kind, String::from(one.subject), provider)
        })
        .collect();
    all.sort_by(|one, other| (&one.1, &one.2).cmp(&(&other.1, &other.2)));
    all
}

/// What must hold over any kind of store. `one` and `other` are two replicas, or twice the same process.
async fn assert_recorded(one: &Sessions, other: &Sessions) {
    let mut ids: Vec<_> = (0..5).map(|_| session()).collect();
    let records = [
        local("rita"),
        local("rita"),
        at_provider("alice", "1", Some("a")),
        at_provider("alice", "1", Some("b")),
        at_provider("bob", "2", None),
    ];
    for (id, record) in ids.iter().zip(&records) {
        one.begin_browser(*id, record.clone(), times())
            .await
            .unwrap();
        assert_eq!(other.find_browser(*id).await, Ok(Some(record.clone())));
    }
    let tokens = RefreshToken::first(ambient::random_bytes(), ambient::random_bytes());
    ids.push(tokens.session());
    one.open("rita", &tokens, SignIn::default(), times())
        .await
        .unwrap();
    let (browser, corp) = (SessionKind::Browser, || Some("corp".to_owned()));
    let rita = |kind| (kind, "rita".to_owned(), None);
    assert_eq!(
        listed(other, None, Some("corp")).await,
        ["alice", "alice", "bob"].map(|name| (browser, name.to_owned(), corp()))
    );
    assert_eq!(listed(other, None, None).await.len(), 6);
    let mut kinds = listed(other, Some("rita"), None).await;
    kinds.sort_by_key(|one| one.0 == SessionKind::Tokens);
    assert_eq!(
        kinds,
        [rita(browser), rita(browser), rita(SessionKind::Tokens)]
    );
    assert_eq!(listed(other, Some("Rita"), None).await, []);

    let end = async |selector| other.end_selected(&selector, times()).await.unwrap();
    let user = |name: &str| SessionSelector::User(name.into());
    let sid = |sid: &str| SessionSelector::ProviderSid("corp".into(), sid.into());
    let sub = |sub: &str| SessionSelector::ProviderSub("corp".into(), sub.into());
    let lone = |sub: &str| SessionSelector::ProviderSubWithoutSid("corp".into(), sub.into());
    for (selector, ended, left) in [
        (sid("c"), 0, 6),
        (SessionSelector::ProviderSid("cor".into(), "a".into()), 0, 6),
        (SessionSelector::Id(session()), 0, 6),
        (sid("a"), 1, 5),
        (sid("a"), 0, 5),
        (lone("1"), 0, 5),
        (sub("1"), 1, 4),
        (lone("2"), 1, 3),
        (SessionSelector::Id(ids[4]), 0, 3),
        (user("rit"), 0, 3),
        (user("rita"), 3, 0),
        (user("rita"), 0, 0),
    ] {
        assert_eq!(end(selector.clone()).await, ended, "{selector:?}");
        assert_eq!(listed(one, None, None).await.len(), left, "{selector:?}");
    }
    for id in &ids {
        assert!(other.has_ended(id), "at once where it was ended");
        until("the other replica to know", || one.has_ended(id));
        assert_eq!(one.find_browser(*id).await, Ok(None));
    }
    assert_once(one, other).await;
}

async fn assert_once(one: &Sessions, other: &Sessions) {
    let now = ambient::unix_seconds();
    let key = |value: &str| OnceKey::new(OnceUse::LogoutToken, "corp", value);
    for (store, value, is_new) in [
        (one, "x", true),
        (other, "x", false),
        (one, "x", false),
        (other, "y", true),
        (one, "y", false),
    ] {
        assert_eq!(
            store.use_once(key(value), now + LIFE, now).await,
            Ok(is_new),
            "{value}"
        );
    }
    // many at a time
    let uses: Vec<_> = (0..32)
        .map(|number| {
            let store = if number % 2 == 0 { one } else { other }.clone();
            tokio::spawn(async move { store.use_once(key("z"), now + LIFE, now).await })
        })
        .collect();
    let mut good = 0;
    for one in uses {
        good += usize::from(one.await.unwrap().unwrap());
    }
    assert_eq!(good, 1);
}

#[test]
fn memory_records_sessions() {
    run(async {
        let one = open("memory");
        assert_recorded(&one, &one).await;
    });
}

#[test]
fn a_file_records_sessions_beyond_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("file:{}", folder.path().join("state.redb").display());
    let (kept, ended) = (session(), session());
    let (record, now) = (
        at_provider("alice", "1", Some("a")),
        ambient::unix_seconds(),
    );
    let key = OnceKey::new(OnceUse::SignInState, "corp", "x");
    run(async {
        let before = open(&state);
        assert_recorded(&before, &before).await;
        for id in [kept, ended] {
            before
                .begin_browser(id, record.clone(), times())
                .await
                .unwrap();
        }
        let selector = SessionSelector::Id(ended);
        assert_eq!(before.end_selected(&selector, times()).await, Ok(1));
        assert_eq!(before.use_once(key, now + LIFE, now).await, Ok(true));
    });
    let mut after = None;
    // the thread of the former store lets go of the file when it ends
    until("the file to be free", || {
        let settings = StateSettings::parse(&state, Path::new("/")).unwrap();
        after = Sessions::start(&settings, Metrics::new(), ambient::hash_state()).ok();
        after.is_some()
    });
    run(async {
        let after = after.unwrap();
        assert_eq!(after.find_browser(kept).await, Ok(Some(record.clone())));
        assert_eq!(after.find_browser(ended).await, Ok(None));
        assert!(after.has_ended(&ended) && !after.has_ended(&kept));
        assert_eq!(after.use_once(key, now + LIFE, now).await, Ok(false));
        let sid = SessionSelector::ProviderSid("corp".into(), "a".into());
        assert_eq!(after.end_selected(&sid, times()).await, Ok(1));
    });
}

/// Every key but the stream of ended sessions, which is trimmed instead, expires by itself.
fn assert_every_key_expires(redis: &Redis) {
    let answer = redis.command("KEYS gatelatch:*");
    let keys: Vec<_> = answer
        .lines()
        .filter(|line| line.starts_with("gatelatch:"))
        .collect();
    assert!(keys.len() > 3, "{answer}");
    for key in keys.into_iter().filter(|key| *key != "gatelatch:ended") {
        let left = redis.command(&format!("PTTL {key}"));
        let millis: i64 = left.trim().trim_start_matches(':').parse().unwrap();
        // one that is gone by now has expired
        assert!(millis > 0 || millis == -2, "{key}: {left}");
    }
}

fn assert_redis(redis: &Redis, state: &str) {
    run(async {
        let (one, other) = (open(state), open(state));
        for replica in [&one, &other] {
            replica.ready().await.unwrap();
        }
        let kept = session();
        let record = at_provider("kept", "9", Some("k"));
        assert_recorded(&one, &other).await;
        one.begin_browser(kept, record, times()).await.unwrap();
        let tokens = RefreshToken::first(ambient::random_bytes(), ambient::random_bytes());
        one.open("kept", &tokens, SignIn::default(), times())
            .await
            .unwrap();
    });
    assert_every_key_expires(redis);
}

#[test]
fn redis_records_sessions_for_all_replicas() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    assert_redis(&redis, &redis.url());
}

#[test]
fn a_cluster_records_sessions_for_all_replicas() {
    let started = on_a_port(|port| {
        ["--port", port, "--cluster-enabled", "yes"]
            .map(str::to_owned)
            .into()
    });
    let Some((redis, port)) = started else {
        return;
    };
    redis.command("CLUSTER ADDSLOTSRANGE 0 16383");
    until("the cluster", || {
        redis.command("CLUSTER INFO").contains("cluster_state:ok")
    });
    assert_redis(&redis, &format!("redis-cluster://127.0.0.1:{port}"));
}

#[test]
fn without_redis_nothing_begins_and_nothing_is_good_once() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    run(async {
        let sessions = open(&redis.url());
        sessions.ready().await.unwrap();
        redis.kill();
        let begun = sessions
            .begin_browser(session(), local("rita"), times())
            .await;
        assert!(begun.is_err());
        let key = OnceKey::new(OnceUse::LogoutToken, "corp", "x");
        let now = ambient::unix_seconds();
        assert!(sessions.use_once(key, now + LIFE, now).await.is_err());
        let user = SessionSelector::User("rita".into());
        assert!(sessions.end_selected(&user, times()).await.is_err());
        assert!(sessions.list_sessions(None, None, 0, now).await.is_err());
    });
}

/// Physical memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    words[1].parse::<u64>().unwrap() * 1024
}

const MEASURED: &str = "session_store::the_memory_of_sessions";

/// A refresh token of 64 characters, three roles, a name and a mail address.
#[test]
#[ignore = "run in a process of its own by the test below"]
fn the_memory_of_sessions() {
    let key = Key::hs256(&[7; 32]).unwrap();
    let sealer = Sealer::new(&key, &key.clone().into());
    run(async {
        let sessions = open("memory");
        let token = "t".repeat(64);
        let record = |number: u32| {
            let (id, sub) = (
                session(),
                format!("{number:08x}-5b1f-4b52-9d30-0d1f7b8c2a11"),
            );
            let name = format!("user{number:06}.example");
            let mut record = at_provider(&name, &sub, Some(&sub));
            let provider = record.provider.as_mut().unwrap();
            provider.roles = ["staff", "developers", "on-call"].map(Into::into).into();
            provider.display_name = Some(format!("Example User {number}").into());
            provider.email = Some(format!("{name}@corp.example").into());
            record.seal_refresh_token(id, &sealer, &token.as_str().into());
            (id, record)
        };
        // what is there anyway
        let (id, first) = record(0);
        sessions.begin_browser(id, first, times()).await.unwrap();
        let before = resident();
        for number in 1..100_000 {
            let (id, record) = record(number);
            sessions.begin_browser(id, record, times()).await.unwrap();
        }
        // the test below reads it
        writeln!(io::stdout(), "bytes: {}", resident() - before).unwrap();
    });
}

#[test]
fn a_hundred_thousand_provider_sessions_take_at_most_60_mb() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", MEASURED, "--ignored", "--nocapture"];
    let output = Command::new(program).args(arguments).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let bytes = printed
        .split_once("bytes: ")
        .and_then(|(_, rest)| rest.lines().next())
        .unwrap_or_else(|| panic!("{printed}"));
    let bytes: u64 = bytes.trim().parse().unwrap();
    assert!(bytes > 10_000_000, "it was not measured: {bytes}");
    assert!(bytes <= 60_000_000, "{bytes}");
}
