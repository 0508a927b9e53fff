//! Second factors in Redis, and values that are read once. No script touches two keys. Factors never expire: the server must not
//! evict keys without an end (`maxmemory-policy`), and keep what it was told beyond a restart.
//!
//! A name is claimed before the record that has it is written. A claim counts only while the record of who made it has the name:
//! one that is left over from a lost race finds nobody, and keeps nobody from claiming it.

use std::sync::LazyLock;

use redis::{RedisResult, Script, cmd};

use super::browser::RELEASE;
use super::link::Connection;
use crate::session::browser::{OnceKey, digest};
use crate::session::factors::{
    FactorName, FactorPage, FactorSwap, KeepOnce, StoredFactors, SwapFactors,
};
use crate::text::hex;

/// The people of whom factors are kept.
const ALL: &str = "gatelatch:factors";

static REPLACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("replace.lua")));
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

pub(super) async fn find(
    connection: &mut Connection,
    subject: &str,
) -> RedisResult<Option<StoredFactors>> {
    let text = read(connection, subject).await?;
    Ok(text.map(|text| StoredFactors::from_json(subject, &text)))
}

pub(super) async fn find_named(
    connection: &mut Connection,
    name: &FactorName,
) -> RedisResult<Option<StoredFactors>> {
    let owner: Option<String> = connection.query(cmd("GET").arg(name_key(name))).await?;
    let Some(owner) = owner else {
        return Ok(None);
    };
    let found = find(connection, &owner).await?;
    Ok(found.filter(|found| found.names.contains(name)))
}

pub(super) async fn swap(
    connection: &mut Connection,
    swap: &SwapFactors,
) -> RedisResult<FactorSwap> {
    let factors = &swap.factors;
    let subject = &*factors.subject;
    let text = read(connection, subject).await?;
    let before = text
        .as_deref()
        .map(|text| StoredFactors::from_json(subject, text));
    let (turn, former) = before.map_or((0, Vec::new()), |before| (before.turn, before.names));
    if turn != swap.expected_turn() {
        return Ok(FactorSwap::Raced);
    }
    for name in factors.names.iter().filter(|name| !former.contains(name)) {
        if !claim(connection, name, subject).await? {
            return Ok(FactorSwap::TakenKey);
        }
    }
    // before the record: one that is listed without a record is skipped, and one with a record must be listed
    let (): () = connection
        .query(cmd("ZADD").arg(ALL).arg(0).arg(subject))
        .await?;
    let mut replace = REPLACE.key(record_key(subject));
    replace
        .arg(text.as_deref().unwrap_or_default())
        .arg(factors.to_json());
    if !connection.run::<bool>(&replace).await? {
        return Ok(FactorSwap::Raced);
    }
    for name in former.iter().filter(|name| !factors.names.contains(name)) {
        give_up(connection, name, subject).await?;
    }
    Ok(FactorSwap::Done)
}

/// Claims a name for a person; `false` where it is somebody else's.
async fn claim(connection: &mut Connection, name: &FactorName, subject: &str) -> RedisResult<bool> {
    let key = name_key(name);
    let owner: Option<String> = connection.query(cmd("GET").arg(&key)).await?;
    let owner = owner.unwrap_or_default();
    if owner == subject {
        return Ok(true);
    }
    if !owner.is_empty() {
        let owned = find(connection, &owner).await?;
        if owned.is_some_and(|owned| owned.names.contains(name)) {
            return Ok(false);
        }
    }
    let mut replace = REPLACE.key(key);
    replace.arg(owner).arg(subject);
    connection.run(&replace).await
}

async fn give_up(connection: &mut Connection, name: &FactorName, subject: &str) -> RedisResult<()> {
    let mut call = RELEASE.key(name_key(name));
    call.arg(subject);
    connection.run(&call).await
}

pub(super) async fn remove(connection: &mut Connection, subject: &str) -> RedisResult<bool> {
    let before = find(connection, subject).await?;
    let deleted: u64 = connection
        .query(cmd("DEL").arg(record_key(subject)))
        .await?;
    for name in before.iter().flat_map(|before| &before.names) {
        give_up(connection, name, subject).await?;
    }
    let (): () = connection.query(cmd("ZREM").arg(ALL).arg(subject)).await?;
    Ok(deleted > 0)
}

pub(super) async fn list(
    connection: &mut Connection,
    from: u64,
    count: u64,
) -> RedisResult<FactorPage> {
    let next = from.saturating_add(count);
    let mut range = cmd("ZRANGE");
    range.arg(ALL).arg(from).arg(next.saturating_sub(1));
    let people: Vec<String> = connection.query(&range).await?;
    let is_last = (people.len() as u64) < count;
    let mut list = Vec::with_capacity(people.len());
    for subject in people {
        let found = find(connection, &subject).await?;
        list.extend(found.map(|found| (found.subject, found.summary)));
    }
    Ok(FactorPage {
        list,
        next: (!is_last).then_some(next),
    })
}

/// There is room while the server takes writes: what is kept is short, and gone after minutes.
pub(super) async fn keep(connection: &mut Connection, keep: &KeepOnce) -> RedisResult<bool> {
    let seconds = keep.until.saturating_sub(keep.now);
    if seconds == 0 {
        return Ok(false);
    }
    let mut set = cmd("SET");
    set.arg(kept_key(&keep.key)).arg(&keep.value).arg("NX");
    let kept: Option<String> = connection.query(set.arg("EX").arg(seconds)).await?;
    Ok(kept.is_some())
}

pub(super) async fn take(
    connection: &mut Connection,
    key: &OnceKey,
) -> RedisResult<Option<Vec<u8>>> {
    connection.run(&TAKE.key(kept_key(key))).await
}

async fn read(connection: &mut Connection, subject: &str) -> RedisResult<Option<Vec<u8>>> {
    connection.query(cmd("GET").arg(record_key(subject))).await
}

fn record_key(subject: &str) -> String {
    let person = digest(&[b"factors", subject.as_bytes()]);
    format!("gatelatch:factors:of:{}", hex::encode(&person))
}

fn name_key(name: &FactorName) -> String {
    format!("gatelatch:factors:named:{name}")
}

fn kept_key(key: &OnceKey) -> String {
    format!("gatelatch:kept:{key}")
}
