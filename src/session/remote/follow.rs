//! Keeps the connection alive, and hears of sessions that end at any replica.
//!
//! Ended sessions are entries of a stream. A blocking read after the last entry that is known delivers a new one at
//! once, and what was missed while the connection was down comes with the same read: there is no gap between the two.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use redis::{RedisResult, Value, cmd, from_redis_value};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connect::{ConnectionPair, connect};
use super::dial::invalid;
use super::link::{Connection, Link};
use super::sentinel::{self, Primary};
use super::store::{self, ENDED};
use crate::ambient;
use crate::session::health::StoreHealth;
use crate::session::passed_time::PassedTime;
use crate::session::revocations::Revocations;
use crate::session::settings::{RedisKind, RedisSettings};
use crate::token::SessionId;

/// How long to wait before a server that is away is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(250);

/// How long one read waits for news. A server that says nothing for longer is looked for again.
const WAIT_MILLIS: u64 = 1000;

/// Entries of one read.
const ENTRIES: u64 = 1000;

/// How many sessions a server that has forgotten them is told of at a time.
const TAUGHT_AT_ONCE: usize = 64;

/// How many reads pass between two looks at what has expired.
const READS_PER_PURGE: u32 = 64;

/// Connects, follows, and connects again, for ever.
pub(super) async fn follow(
    settings: RedisSettings,
    link: Rc<Link>,
    revocations: Arc<Revocations>,
    health: Arc<StoreHealth>,
) {
    let mut time = PassedTime::since(ambient::unix_millis(), ambient::now());
    loop {
        let trouble = match connect(&settings).await {
            Ok(mut pair) => {
                let primary = pair.primary.take();
                tokio::select! {
                    trouble = serve(pair, &link, &revocations, &health, &mut time) => trouble,
                    trouble = moved(&settings, primary.as_ref()) => trouble,
                }
            }
            Err(error) => error.to_string(),
        };
        link.close();
        health.lost(&trouble);
        sleep(RETRY).await;
    }
}

/// Waits until the server is the primary no longer, where there is anybody to say so.
async fn moved(settings: &RedisSettings, primary: Option<&Primary>) -> String {
    match (&settings.kind, primary) {
        (RedisKind::Sentinel(name), Some(primary)) => {
            sentinel::named_another(settings, name, primary).await
        }
        _ => std::future::pending().await,
    }
}

/// Serves for as long as all is well; says what was not.
async fn serve(
    mut pair: ConnectionPair,
    link: &Link,
    revocations: &Revocations,
    health: &StoreHealth,
    time: &mut PassedTime,
) -> String {
    let mut place = match catch_up(&mut pair, revocations, certain_second(time)).await {
        Ok(place) => place,
        Err(error) => return error.to_string(),
    };
    link.open(pair.orders);
    health.found();
    let mut reads = 0_u32;
    loop {
        let read = tokio::select! {
            read = read_on(&mut pair.news, &mut place, Wait::ForNews) => read,
            trouble = link.trouble() => return trouble,
        };
        match read {
            Ok(ended) => revocations.add(&ended),
            Err(error) => return error.to_string(),
        }
        reads = reads.wrapping_add(1);
        if reads.is_multiple_of(READS_PER_PURGE) {
            revocations.forget_expired(certain_second(time));
        }
    }
}

/// A second since 1970 that has come by either clock: what a wall clock that is ahead for a while says is over may not be.
fn certain_second(time: &mut PassedTime) -> u64 {
    let wall = ambient::unix_millis();
    time.advance(wall, ambient::now());
    time.shortest_seconds().min(wall / 1000)
}

/// Learns of every session that has ended, and teaches a server that has forgotten some: it may have been restarted
/// without its data, or be a replica that was behind. Nothing that is known here is forgotten.
async fn catch_up(
    pair: &mut ConnectionPair,
    revocations: &Revocations,
    now: u64,
) -> RedisResult<String> {
    store::probe(&mut pair.orders).await?;
    let mut place = "0".to_owned();
    let mut known = HashSet::new();
    loop {
        let ended = read_on(&mut pair.news, &mut place, Wait::Not).await?;
        if ended.is_empty() {
            break;
        }
        revocations.add(&ended);
        known.extend(ended.into_iter().map(|(session, _)| session));
    }
    let mut forgotten = revocations.all();
    forgotten.retain(|(session, until)| *until > now && !known.contains(session));
    for some in forgotten.chunks(TAUGHT_AT_ONCE) {
        teach(&pair.orders, some, now).await?;
    }
    Ok(place)
}

/// Ends these sessions again, all at the same time: one after the other they take as long as the way to the server and its
/// disk make each, and nobody signs in meanwhile.
async fn teach(
    connection: &Connection,
    sessions: &[(SessionId, u64)],
    now: u64,
) -> RedisResult<()> {
    let mut orders = JoinSet::new();
    for (session, until) in sessions.iter().copied() {
        let mut connection = connection.clone();
        orders.spawn_local(
            async move { store::end_again(&mut connection, session, until, now).await },
        );
    }
    while let Some(taught) = orders.join_next().await {
        taught.unwrap_or_else(|_| Err(invalid("a session could not be ended again")))?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Wait {
    Not,
    ForNews,
}

/// A stream, and its entries as ids and fields.
type Stream = (String, Vec<(String, Value)>);

/// Reads the entries after `place`, and moves it behind them.
async fn read_on(
    news: &mut Connection,
    place: &mut String,
    wait: Wait,
) -> RedisResult<Vec<(SessionId, u64)>> {
    let mut command = cmd("XREAD");
    command.arg("COUNT").arg(ENTRIES);
    match wait {
        Wait::Not => {}
        Wait::ForNews => drop(command.arg("BLOCK").arg(WAIT_MILLIS)),
    }
    command.arg("STREAMS").arg(ENDED).arg(&*place);
    let streams: Option<Vec<Stream>> = news.query(&command).await?;
    let mut ended = Vec::new();
    let streams = streams.into_iter().flatten();
    for (id, fields) in streams.flat_map(|(_, entries)| entries) {
        *place = id;
        let fields: Vec<String> = from_redis_value(fields)?;
        // an entry that cannot be read is none of ours
        ended.extend(read_entry(&fields));
    }
    Ok(ended)
}

fn read_entry(fields: &[String]) -> Option<(SessionId, u64)> {
    match fields {
        [_, session, _, until] => Some((SessionId::parse(session)?, until.parse().ok()?)),
        _ => None,
    }
}
