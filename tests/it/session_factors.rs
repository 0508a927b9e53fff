//! What the store keeps of second factors, and values that are read once: the same in every kind of store, on two replicas of it.

use std::path::Path;

use gatelatch::ambient;
use gatelatch::factors::TotpSecret;
use gatelatch::session::{
    FactorError, FactorRecord, FactorSwap, OnceKey, OnceUse, Sessions, StateSettings,
    StoredPasskey, TotpFactor,
};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::{Key, KeySet, Sealer};

use crate::support::{Redis, on_a_port, until};

fn try_open(state: &str) -> Option<Sessions> {
    let settings = StateSettings::parse(state, Path::new("/nowhere")).unwrap();
    Sessions::start(&settings, Metrics::new(), ambient::hash_state()).ok()
}

fn open(state: &str) -> Sessions {
    try_open(state).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn sealer(number: u8) -> Sealer {
    let key = Key::hs256(&[number; 32]).unwrap();
    Sealer::new(&key, &key.clone().into())
}

fn passkey(id: &[u8]) -> StoredPasskey {
    StoredPasskey {
        id: id.into(),
        name: "Laptop".into(),
        credential: br#"{"counter":1}"#.into(),
        added_at: 1_700_000_000,
        last_used_at: None,
    }
}

fn with_totp(mut record: FactorRecord) -> FactorRecord {
    record.totp = Some(TotpFactor {
        secret: TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(),
        added_at: 1_700_000_000,
    });
    record
}

fn key() -> OnceKey {
    let name = u128::from_be_bytes(ambient::random_bytes()).to_string();
    OnceKey::new(OnceUse::Continuation, "", &name)
}

/// What must hold over any kind of store. `one` and `other` are two replicas, or twice the same process.
async fn assert_kept(one: &Sessions, other: &Sessions) {
    let sealer = &sealer(1);
    let nothing = one.find_factors("rita", None, sealer).await.unwrap();
    assert!(!nothing.has_factor() && nothing.turn == 0);
    let mut first = with_totp(nothing);
    first.passkeys = vec![passkey(b"a"), passkey(b"b")];
    let swap = async |store: &Sessions, subject: &str, record: &FactorRecord| {
        store.swap_factors(subject, record, sealer).await.unwrap()
    };
    assert_eq!(swap(one, "rita", &first).await, FactorSwap::Done);
    // made from a state that is past
    assert_eq!(swap(other, "rita", &first).await, FactorSwap::Raced);
    let mut second = other.find_factors("rita", None, sealer).await.unwrap();
    assert_eq!((second.turn, second.user_handle), (1, first.user_handle));
    assert_eq!(
        FactorRecord {
            turn: 0,
            ..second.clone()
        },
        first
    );

    // one of two that are made from the same state counts
    second.last_step = Some(7);
    let both = tokio::join!(swap(one, "rita", &second), swap(other, "rita", &second));
    assert!(
        [
            (FactorSwap::Done, FactorSwap::Raced),
            (FactorSwap::Raced, FactorSwap::Done)
        ]
        .contains(&both),
        "{both:?}"
    );

    // a credential is found by its id, its owner by the handle, and nobody else gets it
    let owner = |found: Option<(Box<str>, FactorRecord)>| found.map(|(owner, _)| owner);
    let of =
        async |store: &Sessions, id: &[u8]| owner(store.find_credential(id, sealer).await.unwrap());
    assert_eq!(of(other, b"b").await.as_deref(), Some("rita"));
    assert_eq!(of(other, b"c").await, None);
    let by_handle = other.find_handle(&first.user_handle, sealer).await.unwrap();
    assert_eq!(owner(by_handle).as_deref(), Some("rita"));
    assert_eq!(
        owner(one.find_handle(&[0; 16], sealer).await.unwrap()),
        None
    );
    let mut bob = one.find_factors("bob", None, sealer).await.unwrap();
    bob.security_keys = vec![passkey(b"c"), passkey(b"b")];
    assert_eq!(swap(other, "bob", &bob).await, FactorSwap::TakenKey);
    assert_eq!(of(one, b"c").await, None);
    // which does not keep the owner of the other one from adding it
    let mut third = one.find_factors("rita", None, sealer).await.unwrap();
    third.passkeys = vec![passkey(b"a"), passkey(b"c")];
    assert_eq!(swap(one, "rita", &third).await, FactorSwap::Done);
    assert_eq!(of(other, b"c").await.as_deref(), Some("rita"));
    // and what was removed may be added by somebody else
    bob.security_keys = vec![passkey(b"b")];
    assert_eq!(swap(other, "bob", &bob).await, FactorSwap::Done);
    assert_eq!(of(one, b"b").await.as_deref(), Some("bob"));

    let page = other.list_factors(0).await.unwrap();
    let mut listed: Vec<_> = page
        .list
        .iter()
        .map(|(name, of)| (&**name, of.totp, of.keys))
        .collect();
    listed.sort_unstable();
    assert_eq!(
        (listed, page.next),
        (vec![("bob", false, 1), ("rita", true, 2)], None)
    );
    assert_eq!(one.remove_factors("bob").await, Ok(true));
    assert_eq!(other.remove_factors("bob").await, Ok(false));
    assert_eq!(of(other, b"b").await, None);
    assert_eq!(other.list_factors(0).await.unwrap().list.len(), 1);

    // nobody without the key takes the owner of factors for somebody without
    let unread = other.find_factors("rita", None, &self::sealer(2)).await;
    assert_eq!(unread.unwrap_err(), FactorError::Unreadable);
    assert_read_once(one, other).await;
}

async fn assert_read_once(one: &Sessions, other: &Sessions) {
    let (first, now) = (key(), ambient::unix_seconds());
    assert_eq!(
        one.keep_once(first, vec![0, 1, 255], now + 60, now).await,
        Ok(true)
    );
    assert_eq!(
        other.keep_once(first, vec![9], now + 60, now).await,
        Ok(false)
    );
    let both = tokio::join!(one.take_once(first, now), other.take_once(first, now));
    let both = [both.0.unwrap(), both.1.unwrap()];
    assert!(
        both.contains(&Some(vec![0, 1, 255])) && both.contains(&None),
        "{both:?}"
    );
    assert_eq!(one.take_once(key(), now).await, Ok(None));
    assert_eq!(
        one.keep_once(key(), vec![0; 9000], now + 60, now).await,
        Ok(false),
        "too long"
    );
    assert_eq!(
        one.keep_once(key(), vec![1], now, now).await,
        Ok(false),
        "over"
    );
}

/// A key that is exchanged goes on opening what it has sealed until it is taken away; by then its people are sealed with the new one.
#[test]
fn what_a_former_key_has_sealed_is_sealed_anew_when_it_is_looked_at() {
    let [old, new] = [1, 2].map(|number| Key::hs256(&[number; 32]).unwrap());
    let both = KeySet::new(vec![new.verifying().clone(), old.verifying().clone()]);
    let rotated = Sealer::new(&new, &both);
    run(async {
        let store = open("memory");
        let record = with_totp(store.find_factors("rita", None, &sealer(1)).await.unwrap());
        store
            .swap_factors("rita", &record, &sealer(1))
            .await
            .unwrap();
        assert!(store.find_factors("rita", None, &sealer(2)).await.is_err());
        let looked = store.find_factors("rita", None, &rotated).await.unwrap();
        let found = store.find_factors("rita", None, &sealer(2)).await.unwrap();
        assert_eq!(found, looked);
        assert!(found.has_factor() && store.find_factors("rita", None, &sealer(1)).await.is_err());
    });
}

#[test]
fn memory_keeps_factors() {
    run(async {
        let one = open("memory");
        assert_kept(&one, &one).await;
    });
}

#[test]
fn a_file_keeps_factors_beyond_a_restart_and_what_cannot_be_read_is_not_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("file:{}", folder.path().join("state.redb").display());
    let before = run(async {
        let before = open(&state);
        assert_kept(&before, &before).await;
        let mut record = before.find_factors("rita", None, &sealer(1)).await.unwrap();
        record.last_step = Some(56_666_666);
        before
            .swap_factors("rita", &record, &sealer(1))
            .await
            .unwrap();
        record
    });
    let mut after = None;
    // the thread of the former store lets go of the file when it ends
    until("the file to be free", || {
        after = try_open(&state);
        after.is_some()
    });
    run(async {
        let after = after.unwrap();
        let found = after.find_factors("rita", None, &sealer(1)).await.unwrap();
        assert_eq!(
            FactorRecord {
                turn: before.turn,
                ..found
            },
            before
        );
        assert!(
            after
                .find_credential(b"a", &sealer(1))
                .await
                .unwrap()
                .is_some()
        );
    });
    let bytes = std::fs::read(folder.path().join("state.redb")).unwrap();
    let secret = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    assert!(!bytes.windows(secret.len()).any(|part| part == secret));
}

fn assert_redis(redis: &Redis, state: &str) {
    run(async {
        let (one, other) = (open(state), open(state));
        for replica in [&one, &other] {
            replica.ready().await.unwrap();
        }
        assert_kept(&one, &other).await;
        let now = ambient::unix_seconds();
        one.keep_once(key(), vec![1], now + 9999, now)
            .await
            .unwrap();
    });
    // what is read once is gone after five minutes, and factors stay
    let answer = redis.command("KEYS gatelatch:*");
    let of = |prefix: &str| -> Vec<String> {
        let keys = answer.lines().filter(|line| line.starts_with(prefix));
        keys.map(|key| {
            redis
                .command(&format!("TTL {key}"))
                .trim()
                .trim_start_matches(':')
                .into()
        })
        .collect()
    };
    let kept = of("gatelatch:kept:");
    let left: Vec<i64> = kept.iter().map(|left| left.parse().unwrap()).collect();
    assert!(matches!(left[..], [1..=300]), "{left:?} {answer}");
    let factors = of("gatelatch:factors");
    assert!(
        factors.len() > 3 && factors.iter().all(|left| left == "-1"),
        "{factors:?}"
    );
}

#[test]
fn redis_keeps_factors_for_all_replicas() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    assert_redis(&redis, &redis.url());
}

#[test]
fn a_cluster_keeps_factors_for_all_replicas() {
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

/// Who can write to the store gives nobody the factors of somebody else, and makes nobody one without.
#[test]
fn a_record_that_was_moved_or_broken_in_redis_is_refused() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    run(async {
        let store = open(&redis.url());
        store.ready().await.unwrap();
        let sealer = sealer(1);
        let own = with_totp(store.find_factors("mallory", None, &sealer).await.unwrap());
        store.swap_factors("mallory", &own, &sealer).await.unwrap();
        let names = redis.command("KEYS gatelatch:factors:of:*");
        let is_record = |line: &&str| line.starts_with("gatelatch:");
        let mallory = names.lines().find(is_record).unwrap().to_owned();
        let other = with_totp(store.find_factors("admin", None, &sealer).await.unwrap());
        store.swap_factors("admin", &other, &sealer).await.unwrap();
        let names = redis.command("KEYS gatelatch:factors:of:*");
        let admin = names
            .lines()
            .filter(is_record)
            .find(|name| *name != mallory)
            .unwrap();
        redis.command(&format!("COPY {mallory} {admin} REPLACE"));
        let found = store.find_factors("admin", None, &sealer).await;
        assert_eq!(found.unwrap_err(), FactorError::Unreadable);
        redis.command(&format!("SET {admin} nonsense"));
        let found = store.find_factors("admin", None, &sealer).await;
        assert_eq!(found.unwrap_err(), FactorError::Unreadable);
        // an operator can still remove it
        assert_eq!(store.remove_factors("admin").await, Ok(true));
        assert!(
            !store
                .find_factors("admin", None, &sealer)
                .await
                .unwrap()
                .has_factor()
        );
    });
}

#[test]
fn without_redis_nobody_is_taken_for_somebody_without_a_factor() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    run(async {
        let store = open(&redis.url());
        store.ready().await.unwrap();
        redis.kill();
        let found = store.find_factors("rita", None, &sealer(1)).await;
        assert!(matches!(found, Err(FactorError::Unavailable(_))));
        let now = ambient::unix_seconds();
        assert!(store.take_once(key(), now).await.is_err());
        assert!(
            store
                .keep_once(key(), vec![1], now + 60, now)
                .await
                .is_err()
        );
    });
}
