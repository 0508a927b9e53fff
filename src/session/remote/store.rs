//! What is asked of Redis, each thing in steps that are atomic by themselves. No script touches two keys, so that all
//! of it works in a cluster too.

use std::sync::LazyLock;

use redis::{RedisResult, Script, cmd};

use super::index;
use super::link::Connection;
use super::names::{browser_key, family_key};
use crate::session::browser::IndexKey;
use crate::session::family::{Family, Look, Shown};
use crate::session::job::{
    EndSession, ExchangeOrder, GoodRefreshToken, Open, StoreMemory, TokenExchange,
};
use crate::session::revocations::Revocations;
use crate::token::SessionId;

/// The stream of ended sessions.
pub(super) const ENDED: &str = "gatelatch:ended";

/// How often an exchange is tried where others change the same family at the same moment.
const TRIES: usize = 16;

/// Entries of the stream stay for at least so many seconds, whatever the longest token is: replicas may be configured
/// differently for a while.
const KEEP_AT_LEAST: u64 = 2 * 24 * 3600;

/// Replaces a value that nobody has changed meanwhile.
pub(super) static SWAP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("swap.lua")));
static ANNOUNCE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("announce.lua")));

/// Whether the server takes a write: a replica does not, nor one whose memory or disk is full.
pub(super) async fn probe(connection: &mut Connection) -> RedisResult<()> {
    connection
        .query(cmd("SET").arg("gatelatch:probe").arg(1).arg("PX").arg(1000))
        .await
}

/// Tells all replicas that a session has ended, until its last token has expired.
async fn announce(
    connection: &mut Connection,
    session: SessionId,
    until: u64,
    now: u64,
) -> RedisResult<()> {
    let keep = until
        .saturating_sub(now)
        .saturating_mul(2)
        .max(KEEP_AT_LEAST);
    let mut call = ANNOUNCE.key(ENDED);
    call.arg(session.to_string()).arg(until).arg(keep);
    connection.run(&call).await
}

pub(super) async fn open(connection: &mut Connection, order: &Open) -> RedisResult<()> {
    let (key, text) = (family_key(&order.session), text_of(&order.family));
    let life = life(&order.family, order.now);
    let (): () = connection
        .query(cmd("SET").arg(key).arg(text).arg("PX").arg(life))
        .await?;
    add_to_index(connection, order.session, &order.family).await
}

/// Makes a session be found by its user, for as long as its last refresh token is good.
async fn add_to_index(
    connection: &mut Connection,
    session: SessionId,
    family: &Family,
) -> RedisResult<()> {
    let keys = [IndexKey::of_user(&family.subject)];
    index::add(connection, &keys, session, family.expires_at()).await
}

pub(super) async fn exchange(
    connection: &mut Connection,
    order: &ExchangeOrder,
    revocations: &Revocations,
) -> RedisResult<TokenExchange> {
    let key = family_key(&order.session);
    for _ in 0..TRIES {
        let before: Option<String> = connection.query(cmd("GET").arg(&key)).await?;
        let family = before
            .as_deref()
            .and_then(|text| serde_json::from_str::<Family>(text).ok());
        let (Some(before), Some(mut family)) = (before, family) else {
            return Ok(TokenExchange::Refused);
        };
        if revocations.contains(&order.session) {
            return Ok(TokenExchange::Refused);
        }
        let became = family.exchange(&order.exchange);
        match became {
            Shown::Expired => return Ok(TokenExchange::Refused),
            Shown::Reused => {
                end(connection, order.end(&family), revocations).await?;
                return Ok(TokenExchange::Reused {
                    subject: family.subject,
                });
            }
            Shown::Good | Shown::Forgotten => {
                let mut swap = SWAP.key(&key);
                swap.arg(before)
                    .arg(text_of(&family))
                    .arg(life(&family, order.exchange.now));
                if connection.run(&swap).await? {
                    add_to_index(connection, order.session, &family).await?;
                    return Ok(TokenExchange::good(&family, StoreMemory::of(became)));
                }
            }
        }
    }
    // more requests at a time than any client makes
    Ok(TokenExchange::Refused)
}

/// What is known of a refresh token, which stays as it is.
pub(super) async fn look(
    connection: &mut Connection,
    session: SessionId,
    look: &Look,
    revocations: &Revocations,
) -> RedisResult<Option<GoodRefreshToken>> {
    let text: Option<String> = connection
        .query(cmd("GET").arg(family_key(&session)))
        .await?;
    let family = text.and_then(|text| serde_json::from_str::<Family>(&text).ok());
    let family = family.filter(|_| !revocations.contains(&session));
    Ok(family.and_then(|family| GoodRefreshToken::of(&family, look)))
}

/// Deletes what is kept of the session, says whether there was anything, and announces the end of the session, each even where the other fails. While the family may still
/// be there, the session stays ended for as long as its refresh tokens could live, and not only its access tokens:
/// nobody repeats the request that found a spent token. Where the announcement itself fails, this replica makes it
/// when it has found the server again.
pub(super) async fn end(
    connection: &mut Connection,
    order: EndSession,
    revocations: &Revocations,
) -> RedisResult<bool> {
    let deleted = delete(connection, &order.session).await;
    let until = match deleted {
        Ok(_) => order.last_token,
        Err(_) => order.last_token.max(order.last_refresh),
    };
    revocations.add(&[(order.session, until)]);
    announce(connection, order.session, until, order.now).await?;
    index::remove(connection, order.session).await?;
    deleted
}

async fn delete(connection: &mut Connection, session: &SessionId) -> RedisResult<bool> {
    let mut deleted = 0_u64;
    // two keys may be of two nodes
    for key in [family_key(session), browser_key(session)] {
        deleted += connection.query::<u64>(cmd("DEL").arg(key)).await?;
    }
    Ok(deleted > 0)
}

/// Ends a session again at a server that has forgotten that it has ended: it may have forgotten as well that its family
/// was deleted.
pub(super) async fn end_again(
    connection: &mut Connection,
    session: SessionId,
    until: u64,
    now: u64,
) -> RedisResult<()> {
    delete(connection, &session).await?;
    announce(connection, session, until, now).await
}

/// Without a family nothing is noted: anybody could make up sessions to end.
pub(super) async fn leave(
    connection: &mut Connection,
    order: EndSession,
    revocations: &Revocations,
) -> RedisResult<()> {
    let known: bool = connection
        .query(cmd("EXISTS").arg(family_key(&order.session)))
        .await?;
    if known {
        end(connection, order, revocations).await?;
    }
    Ok(())
}

fn text_of(family: &Family) -> String {
    serde_json::to_string(family).expect("a family has nothing that JSON cannot say")
}

/// In milliseconds.
fn life(family: &Family, now: u64) -> u64 {
    family
        .expires_at()
        .saturating_sub(now)
        .max(1)
        .saturating_mul(1000)
}
