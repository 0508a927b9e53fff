//! By what sessions are found: sorted sets of their names, by when they expire.

use std::sync::LazyLock;

use redis::{RedisResult, Script, cmd};

use super::link::Connection;
use crate::session::browser::IndexKey;
use crate::token::SessionId;

/// The index of all sessions.
const ALL: &str = "gatelatch:sessions";

static INDEX: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("index.lua")));

/// Makes a session be found by these keys, and among all.
pub(super) async fn add(
    connection: &mut Connection,
    keys: &[IndexKey],
    session: SessionId,
    expires_at: u64,
) -> RedisResult<()> {
    let names = keys.iter().map(|key| name(*key));
    for name in names.chain([ALL.to_owned()]) {
        let mut call = INDEX.key(name);
        call.arg(session.to_string()).arg(expires_at);
        let (): () = connection.run(&call).await?;
    }
    Ok(())
}

/// Takes a session that has ended out of the index of all. The other indexes drop it when it would have expired.
pub(super) async fn remove(connection: &mut Connection, session: SessionId) -> RedisResult<()> {
    connection
        .query(cmd("ZREM").arg(ALL).arg(session.to_string()))
        .await
}

/// Takes sessions out of one index.
pub(super) async fn take_out(
    connection: &mut Connection,
    key: IndexKey,
    sessions: &[SessionId],
) -> RedisResult<()> {
    if sessions.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = sessions.iter().map(SessionId::to_string).collect();
    connection
        .query(cmd("ZREM").arg(name(key)).arg(names))
        .await
}

/// So many sessions of an index, or of all, from a place on; those that expire last come first.
pub(super) async fn range(
    connection: &mut Connection,
    key: Option<IndexKey>,
    from: u64,
    count: u64,
) -> RedisResult<Vec<SessionId>> {
    let name = key.map_or_else(|| ALL.to_owned(), name);
    let mut command = cmd("ZREVRANGE");
    command.arg(name).arg(from);
    command.arg(from.saturating_add(count).saturating_sub(1));
    let names: Vec<String> = connection.query(&command).await?;
    // what cannot be read is none of ours
    Ok(names
        .iter()
        .filter_map(|name| SessionId::parse(name))
        .collect())
}

fn name(key: IndexKey) -> String {
    format!("gatelatch:sessions:{}", key.text())
}
