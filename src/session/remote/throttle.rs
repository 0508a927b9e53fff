//! Failed logins, and what accounts know, in Redis. No script touches two keys, so that all of it works in a cluster
//! too.

use std::sync::LazyLock;

use redis::{RedisResult, Script, cmd};
use tokio::try_join;

use super::link::Connection;
use crate::session::attempt::{
    Account, Admission, Begun, DeviceId, LoginAttempt, Measure, PasswordResult, REST, SLOW,
    Subject, Throttled,
};
use crate::session::holds::Holds;
use crate::session::job::RecordAttempt;
use crate::session::known::{KNOWN_FOR, NETWORKS};

/// The list of holds, by when they end; what counts is the entry of each subject.
const HELD: &str = "gatelatch:held";

static FAIL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("fail.lua")));
static HOLD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("hold.lua")));
static KNOW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("know.lua")));
static PASS: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("pass.lua")));

/// Before the password is looked at.
pub(super) async fn check(
    connection: &mut Connection,
    attempt: &LoginAttempt,
    now: u64,
) -> RedisResult<Result<Admission, Throttled>> {
    let (pair, network) = (attempt.pair(), Subject::Network(attempt.network));
    let account = Subject::Account(attempt.account);
    let mut more = [connection.clone(), connection.clone(), connection.clone()];
    let [second, third, fourth] = &mut more;
    let (pair, network, slowed, device) = try_join!(
        held_until(connection, &pair),
        held_until(second, &network),
        held_until(third, &account),
        device_held_until(fourth, attempt.device)
    )?;
    let until = pair.max(network);
    if until > now {
        return Ok(Err(Throttled::until(until, now)));
    }
    if device.is_some_and(|until| until <= now) {
        return Ok(Ok(Admission::KnownDevice));
    }
    if slowed <= now {
        return Ok(Ok(Admission::Ordinary));
    }
    check_slowed(connection, attempt, now).await
}

/// Whether a client may try a slowed account.
async fn check_slowed(
    connection: &mut Connection,
    attempt: &LoginAttempt,
    now: u64,
) -> RedisResult<Result<Admission, Throttled>> {
    if is_known(connection, attempt, now).await? {
        return Ok(Ok(Admission::KnownNetwork));
    }
    let rests: Option<u64> = connection.query(cmd("GET").arg(rest_key(attempt))).await?;
    if let Some(until) = rests.filter(|until| *until > now) {
        return Ok(Err(Throttled::until(until, now)));
    }
    let turn = format!("{}:turn", attempt_key(&Subject::Account(attempt.account)));
    let mine: Option<String> = connection
        .query(cmd("SET").arg(turn).arg(1).arg("NX").arg("PX").arg(SLOW))
        .await?;
    Ok(match mine {
        Some(_) => Ok(Admission::Turn),
        None => Err(Throttled { millis: SLOW }),
    })
}

/// After the password was checked.
pub(super) async fn record(
    connection: &mut Connection,
    order: &RecordAttempt,
) -> RedisResult<Result<Begun, Throttled>> {
    let RecordAttempt {
        attempt,
        admission,
        result,
        limits,
        now,
    } = order;
    let (pair, network) = (attempt.pair(), Subject::Network(attempt.network));
    let mut held = held_until(connection, &network).await?;
    if *admission == Admission::KnownDevice {
        let device = device_held_until(connection, attempt.device).await?;
        held = held.max(device.unwrap_or(0));
    }
    if held > *now {
        return Ok(Err(Throttled::until(held, *now)));
    }
    let before = match result {
        PasswordResult::Correct => {
            connection
                .run(PASS.key(attempt_key(&pair)).arg(*now))
                .await?
        }
        PasswordResult::Pending => held_until(connection, &pair).await?,
        PasswordResult::Incorrect => {
            fail(connection, &pair, limits.pair(), *now, While::HeldNothing).await?
        }
    };
    if before > *now {
        return Ok(Err(Throttled::until(before, *now)));
    }
    Ok(Ok(match result {
        PasswordResult::Correct => {
            know(connection, attempt, *now).await?;
            Begun::default()
        }
        PasswordResult::Pending => Begun::default(),
        PasswordResult::Incorrect => count(connection, order).await?,
    }))
}

/// Counts a failure that was counted for the pair already.
async fn count(connection: &mut Connection, order: &RecordAttempt) -> RedisResult<Begun> {
    let RecordAttempt {
        attempt,
        admission,
        limits,
        now,
        ..
    } = order;
    let (pair, network) = (attempt.pair(), Subject::Network(attempt.network));
    let measure = limits.network();
    fail(connection, &network, measure, *now, While::HeldNothing).await?;
    let account = match (admission, attempt.device) {
        (Admission::KnownDevice, Some(device)) => {
            let key = device_key(device);
            count_at(connection, &key, limits.pair(), *now, While::HeldNothing).await?;
            false
        }
        _ => slow(connection, order).await?,
    };
    Ok(Begun {
        pair: held_until(connection, &pair).await? > *now,
        network: held_until(connection, &network).await? > *now,
        account,
    })
}

/// Counts a failure for the account; says whether it is slowed from now on.
async fn slow(connection: &mut Connection, order: &RecordAttempt) -> RedisResult<bool> {
    let (attempt, now) = (&order.attempt, order.now);
    if order.admission == Admission::Turn {
        let mut rest = cmd("SET");
        rest.arg(rest_key(attempt)).arg(now.saturating_add(REST));
        let (): () = connection.query(rest.arg("PX").arg(REST)).await?;
    }
    let (account, measure) = (Subject::Account(attempt.account), order.limits.account());
    let slowed = fail(connection, &account, measure, now, While::HeldProlong).await?;
    Ok(slowed <= now && held_until(connection, &account).await? > now)
}

/// Remembers the network of a good login.
async fn know(connection: &mut Connection, attempt: &LoginAttempt, now: u64) -> RedisResult<()> {
    let mut know = KNOW.key(known_key(attempt.account));
    know.arg(attempt.network.address().to_string())
        .arg(now)
        .arg(NETWORKS)
        .arg(KNOWN_FOR);
    connection.run(&know).await
}

/// Whether the account had a good login from this network lately.
async fn is_known(
    connection: &mut Connection,
    attempt: &LoginAttempt,
    now: u64,
) -> RedisResult<bool> {
    let network = attempt.network.address().to_string();
    let known = known_key(attempt.account);
    let at: Option<f64> = connection
        .query(cmd("ZSCORE").arg(known).arg(network))
        .await?;
    // milliseconds since 1970 are whole numbers that a double holds
    Ok(at.is_some_and(|at| now < (at as u64).saturating_add(KNOWN_FOR)))
}

/// Lifts lockouts.
pub(super) async fn lift(connection: &mut Connection, subjects: &[Subject]) -> RedisResult<()> {
    for subject in subjects {
        let (): () = connection
            .query(cmd("DEL").arg(attempt_key(subject)))
            .await?;
        let (): () = connection
            .query(cmd("ZREM").arg(HELD).arg(subject.key()))
            .await?;
    }
    Ok(())
}

/// The holds of all replicas, from their list.
pub(super) async fn list(
    connection: &mut Connection,
    limit: usize,
    now: u64,
) -> RedisResult<Holds> {
    let after = format!("({now}");
    let total: usize = connection
        .query(cmd("ZCOUNT").arg(HELD).arg(&after).arg("+inf"))
        .await?;
    let mut newest = cmd("ZREVRANGEBYSCORE");
    let held = [HELD, "+inf", &after, "WITHSCORES", "LIMIT", "0"];
    newest.arg(&held).arg(limit);
    let found: Vec<(String, u64)> = connection.query(&newest).await?;
    let known = found
        .into_iter()
        .filter_map(|(key, until)| Some((Subject::parse(&key)?, until)));
    Ok(Holds {
        total,
        list: known.collect(),
    })
}

/// What a failure does to a subject that is held already.
#[derive(Clone, Copy)]
enum While {
    HeldNothing,
    HeldProlong,
}

/// Counts a failure. Says until when the subject was held before it; 0 if it was not.
async fn fail(
    connection: &mut Connection,
    subject: &Subject,
    measure: Measure,
    now: u64,
    held: While,
) -> RedisResult<u64> {
    let key = attempt_key(subject);
    let (before, until) = count_at(connection, &key, measure, now, held).await?;
    if until > before {
        let mut hold = HOLD.key(HELD);
        hold.arg(subject.key()).arg(until).arg(now);
        let (): () = connection.run(&hold).await?;
    }
    Ok(before)
}

/// Counts a failure at a key. Says until when it was held before, and until when it is held now; 0 if it is not.
async fn count_at(
    connection: &mut Connection,
    key: &str,
    measure: Measure,
    now: u64,
    held: While,
) -> RedisResult<(u64, u64)> {
    let prolongs = match held {
        While::HeldNothing => 0,
        While::HeldProlong => 1,
    };
    let mut call = FAIL.key(key);
    call.arg(now)
        .arg(measure.limit)
        .arg(measure.window)
        .arg(measure.lockout)
        .arg(prolongs);
    connection.run(&call).await
}

/// Until when a subject is held; 0 if it is not. A list that begins with `H` is a hold.
async fn held_until(connection: &mut Connection, subject: &Subject) -> RedisResult<u64> {
    held_at(connection, &attempt_key(subject)).await
}

/// Until when a device cookie does not count; `None` without one.
async fn device_held_until(
    connection: &mut Connection,
    device: Option<DeviceId>,
) -> RedisResult<Option<u64>> {
    match device {
        Some(device) => Ok(Some(held_at(connection, &device_key(device)).await?)),
        None => Ok(None),
    }
}

async fn held_at(connection: &mut Connection, key: &str) -> RedisResult<u64> {
    let head: Option<String> = connection.query(cmd("LINDEX").arg(key).arg(0)).await?;
    Ok(head
        .and_then(|head| head.strip_prefix('H')?.parse().ok())
        .unwrap_or(0))
}

fn attempt_key(subject: &Subject) -> String {
    format!("gatelatch:attempts:{}", subject.key())
}

fn device_key(device: DeviceId) -> String {
    format!("gatelatch:attempts:device:{}", device.key())
}

/// Where the site of a client waits that had its turn.
fn rest_key(attempt: &LoginAttempt) -> String {
    let account = attempt_key(&Subject::Account(attempt.account));
    format!("{account}:rest:{}", attempt.network.site().address())
}

fn known_key(account: Account) -> String {
    format!("gatelatch:known:{}", account.key())
}
