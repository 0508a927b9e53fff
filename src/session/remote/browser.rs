//! Recorded sessions in Redis, and what is good once. No script touches two keys, and every key expires.

use std::sync::LazyLock;

use redis::{RedisResult, Script, cmd};
use tokio::task::JoinSet;

use super::index;
use super::link::Connection;
use super::names::{browser_key, family_key, last_use_key};
use super::store::{self, SWAP};
use crate::session::browser::{
    BeginBrowser, BrowserSession, EndSelected, EndedSessions, IndexKey, ListSessions,
    ListedSession, OnceKey, Renewal, SessionPage, SessionSelector, UpdateBrowser, UsedBrowser,
};
use crate::session::family::Family;
use crate::session::job::EndSession;
use crate::session::revocations::Revocations;
use crate::token::SessionId;

/// How many sessions are ended in one step.
const STEP: u64 = 100;

/// How many records are read at a time.
const AT_ONCE: usize = 50;

pub(super) static RELEASE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("release.lua")));

pub(super) async fn begin(connection: &mut Connection, begin: &BeginBrowser) -> RedisResult<()> {
    let BeginBrowser {
        session,
        record,
        now,
        ..
    } = begin;
    let mut set = cmd("SET");
    set.arg(browser_key(session)).arg(record.to_json());
    let (): () = connection
        .query(set.arg("PX").arg(life(record, *now)))
        .await?;
    let keys = IndexKey::all_of(record);
    index::add(connection, &keys, *session, record.expires_at).await
}

pub(super) async fn find(
    connection: &mut Connection,
    session: SessionId,
) -> RedisResult<Option<BrowserSession>> {
    let text: Option<Vec<u8>> = connection
        .query(cmd("GET").arg(browser_key(&session)))
        .await?;
    Ok(text.and_then(|text| BrowserSession::from_json(&text)))
}

pub(super) async fn update(
    connection: &mut Connection,
    update: &UpdateBrowser,
    revocations: &Revocations,
) -> RedisResult<bool> {
    let key = browser_key(&update.session);
    let before: Option<Vec<u8>> = connection.query(cmd("GET").arg(&key)).await?;
    let turn = before
        .as_deref()
        .and_then(BrowserSession::from_json)
        .map(|record| record.turn());
    let (Some(before), Some(turn)) = (before, turn) else {
        return Ok(false);
    };
    if turn != update.expected_turn || revocations.contains(&update.session) {
        return Ok(false);
    }
    let mut swap = SWAP.key(&key);
    swap.arg(before)
        .arg(update.record.to_json())
        .arg(life(&update.record, update.now));
    connection.run(&swap).await
}

/// Beside the record, which a renewal at the provider replaces as a whole.
pub(super) async fn used(connection: &mut Connection, used: UsedBrowser) -> RedisResult<()> {
    let seconds = used.last_second.saturating_sub(used.now).max(1);
    let mut set = cmd("SET");
    set.arg(last_use_key(&used.session)).arg(used.now);
    connection
        .query(set.arg("PX").arg(seconds.saturating_mul(1000)))
        .await
}

pub(super) async fn use_once(
    connection: &mut Connection,
    key: OnceKey,
    until: u64,
    now: u64,
) -> RedisResult<bool> {
    let millis = until.saturating_sub(now).max(1).saturating_mul(1000);
    set_new(connection, used_key(key), "1", millis).await
}

pub(super) async fn was_used(connection: &mut Connection, key: OnceKey) -> RedisResult<bool> {
    connection.query(cmd("EXISTS").arg(used_key(key))).await
}

pub(super) async fn lease(connection: &mut Connection, renewal: Renewal) -> RedisResult<bool> {
    let key = renewal_key(&renewal.session);
    set_new(connection, key, &renewal.holder, renewal.millis).await
}

pub(super) async fn release(connection: &mut Connection, renewal: Renewal) -> RedisResult<()> {
    let mut call = RELEASE.key(renewal_key(&renewal.session));
    call.arg(&renewal.holder);
    connection.run(&call).await
}

/// Sets a value that must not be there yet; says whether it was not.
async fn set_new(
    connection: &mut Connection,
    key: String,
    value: impl redis::ToSingleRedisArg,
    millis: u64,
) -> RedisResult<bool> {
    let mut command = cmd("SET");
    command.arg(key).arg(value).arg("NX").arg("PX").arg(millis);
    let set: Option<String> = connection.query(&command).await?;
    Ok(set.is_some())
}

pub(super) async fn list(
    connection: &mut Connection,
    list: &ListSessions,
    revocations: &Revocations,
) -> RedisResult<SessionPage> {
    let user = list.selection.user.as_deref().map(IndexKey::of_user);
    let sessions = index::range(connection, user, list.from, list.count).await?;
    let is_last = (sessions.len() as u64) < list.count;
    let mut found = Vec::new();
    for some in sessions.chunks(AT_ONCE) {
        found.extend(records(connection, some).await?);
    }
    found.retain(|session| {
        list.selection.admits(session)
            && session.expires_at > list.now
            && !revocations.contains(&session.id)
    });
    Ok(SessionPage {
        list: found,
        next: (!is_last).then_some(list.from.saturating_add(list.count)),
    })
}

/// The records of some sessions, read at the same time. One that has ended has none.
async fn records(
    connection: &Connection,
    sessions: &[SessionId],
) -> RedisResult<Vec<ListedSession>> {
    let mut reads = JoinSet::new();
    for session in sessions {
        let (mut connection, session) = (connection.clone(), *session);
        reads.spawn_local(async move { record(&mut connection, session).await });
    }
    let mut found = Vec::new();
    while let Some(read) = reads.join_next().await {
        // one that panicked has said so
        found.extend(read.unwrap_or(Ok(None))?);
    }
    Ok(found)
}

async fn record(
    connection: &mut Connection,
    session: SessionId,
) -> RedisResult<Option<ListedSession>> {
    if let Some(record) = find(connection, session).await? {
        let used_at = connection
            .query(cmd("GET").arg(last_use_key(&session)))
            .await?;
        return Ok(Some(ListedSession {
            used_at,
            ..ListedSession::of_browser(session, record)
        }));
    }
    let text: Option<Vec<u8>> = connection
        .query(cmd("GET").arg(family_key(&session)))
        .await?;
    let family = text.and_then(|text| serde_json::from_slice::<Family>(&text).ok());
    Ok(family.map(|family| ListedSession::of_tokens(session, &family)))
}

/// Ends some of the sessions of a selection. One whose record is lost ends as well: its cookie may be valid.
pub(super) async fn end_selected(
    connection: &mut Connection,
    end: &EndSelected,
    revocations: &Revocations,
) -> RedisResult<EndedSessions> {
    let (key, mut sessions) = match (IndexKey::of(&end.selector), &end.selector) {
        (Some(key), _) => {
            let found = index::range(connection, Some(key), 0, STEP).await?;
            (Some(key), found)
        }
        (None, SessionSelector::Id(session)) => {
            let known = record(connection, *session).await?;
            (None, known.map(|known| known.id).into_iter().collect())
        }
        (None, _) => (None, Vec::new()),
    };
    let mut ended = 0;
    for session in sessions.iter().filter(|one| end.selector.admits(one)) {
        if revocations.contains(session) {
            continue;
        }
        let order = EndSession {
            session: *session,
            now: end.now,
            last_token: end.last_token,
            last_refresh: end.last_refresh,
        };
        let had_record = store::end(connection, order, revocations).await?;
        ended += usize::from(had_record);
    }
    let more = key.is_some() && sessions.len() as u64 == STEP;
    if let Some(key) = key {
        sessions.retain(|session| end.selector.admits(session));
        index::take_out(connection, key, &sessions).await?;
    }
    Ok(EndedSessions { ended, more })
}

fn used_key(key: OnceKey) -> String {
    format!("gatelatch:used:{key}")
}

fn renewal_key(session: &SessionId) -> String {
    format!("gatelatch:renewal:{session}")
}

/// In milliseconds.
fn life(record: &BrowserSession, now: u64) -> u64 {
    let seconds = record.expires_at.saturating_sub(now).max(1);
    seconds.saturating_mul(1000)
}
