//! The sentinels of a primary: which server it is now, and word of a failover.
//!
//! The former primary of a planned failover goes on taking writes for seconds, and all of them are thrown away: it is left
//! at once. Sentinels announce a failover (`+switch-master`), and are asked each second besides. A sentinel that was cut off
//! says what was so in the past: what counts is the greatest configuration epoch.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, FromRedisValue, ProtocolVersion, PushInfo, RedisConnectionInfo,
    RedisError, RedisResult, Value, cmd,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::dial::{ANSWER, dial, invalid, login, open};
use crate::net::ServerAddress;
use crate::session::settings::RedisSettings;

/// How often each sentinel is asked which server is the primary.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// How long the others may take after the first sentinel has answered.
const LATER_ANSWERS: Duration = Duration::from_millis(500);

/// The server that a sentinel calls the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Primary {
    pub(super) node: ServerAddress,
    /// The configuration epoch under which it became that.
    epoch: u64,
}

/// Asks all sentinels, and takes the server that the newest answer names, if it says itself that it is a primary.
pub(super) async fn find(settings: &RedisSettings, name: &str) -> RedisResult<Primary> {
    let mut answers = ask_all(settings, name).await?;
    let newest = answers.iter().map(|answer| answer.epoch).max();
    answers.retain(|answer| Some(answer.epoch) == newest);
    answers.dedup();
    let mut failure = nobody();
    for primary in answers {
        match check_role(settings, &primary.node).await {
            Ok(()) => return Ok(primary),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Waits until a sentinel names another server than this one, under no older epoch; gives its name.
pub(super) async fn named_another(
    settings: &RedisSettings,
    name: &str,
    primary: &Primary,
) -> String {
    let shared = Rc::new((settings.clone(), name.to_owned(), primary.clone()));
    let mut watches = JoinSet::new();
    for sentinel in settings.nodes.clone() {
        let shared = Rc::clone(&shared);
        watches.spawn_local(async move {
            let (settings, name, primary) = &*shared;
            loop {
                // one that is away is tried again: the others may know meanwhile
                if let Ok(node) = watch(settings, &sentinel, name, primary).await {
                    return node;
                }
                sleep(ASKED_AGAIN).await;
            }
        });
    }
    match watches.join_next().await {
        Some(Ok(node)) => format!("the sentinels name another primary: {node}"),
        Some(Err(_)) | None => "the sentinels cannot be followed".to_owned(),
    }
}

async fn watch(
    settings: &RedisSettings,
    sentinel: &ServerAddress,
    name: &str,
    primary: &Primary,
) -> RedisResult<ServerAddress> {
    let (sender, mut announcements) = unbounded_channel();
    let protocols = [ProtocolVersion::RESP3, ProtocolVersion::RESP2];
    let (mut connection, mut answer) =
        reach(settings, sentinel, name, &protocols, Some(&sender)).await?;
    // it cannot be done over RESP2, where asking has to do
    let _ = connection.subscribe("+switch-master").await;
    loop {
        if answer.epoch >= primary.epoch && answer.node != primary.node {
            return Ok(answer.node);
        }
        next_announcement(&mut announcements).await;
        answer = ask(&mut connection, name).await?;
    }
}

/// Waits for a word of the sentinel, whatever it says, or for the time to ask.
async fn next_announcement(announcements: &mut UnboundedReceiver<PushInfo>) {
    // the sender lives as long as the watch: it is silence or a word
    let _ = timeout(ASKED_AGAIN, announcements.recv()).await;
}

/// The answers of all sentinels that give one in time.
async fn ask_all(settings: &RedisSettings, name: &str) -> RedisResult<Vec<Primary>> {
    let mut asked = JoinSet::new();
    for sentinel in settings.nodes.clone() {
        let (settings, name) = (settings.clone(), name.to_owned());
        asked.spawn_local(async move {
            let protocols = [ProtocolVersion::RESP2];
            let reached = reach(&settings, &sentinel, &name, &protocols, None).await;
            reached.map(|(_, answer)| answer)
        });
    }
    let (mut answers, mut failure) = (Vec::new(), nobody());
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(answer)) => {
                answers.push(answer);
                break;
            }
            Ok(Err(error)) => failure = error,
            Err(_) => {}
        }
    }
    let others = async {
        while let Some(answer) = asked.join_next().await {
            answers.extend(answer.ok().and_then(Result::ok));
        }
    };
    let _ = timeout(LATER_ANSWERS, others).await;
    if answers.is_empty() {
        Err(failure)
    } else {
        Ok(answers)
    }
}

/// Connects to a sentinel, and asks it. Some want the password of their servers, and those without one refuse it.
async fn reach(
    settings: &RedisSettings,
    sentinel: &ServerAddress,
    name: &str,
    protocols: &[ProtocolVersion],
    announcements: Option<&UnboundedSender<PushInfo>>,
) -> RedisResult<(MultiplexedConnection, Primary)> {
    let with_password = settings.password.is_some().then(|| login(settings));
    let logins: Vec<_> = [Some(RedisConnectionInfo::default()), with_password]
        .into_iter()
        .flatten()
        .map(|login| login.set_db(0))
        .collect();
    let mut failure = nobody();
    for protocol in protocols {
        for login in &logins {
            let login = login.clone().set_protocol(*protocol);
            let mut config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
            if let Some(sender) = announcements {
                config = config.set_push_sender(sender.clone());
            }
            let asked = async {
                let mut connection = dial(sentinel, settings.tls, &login, config).await?;
                let answer = ask(&mut connection, name).await?;
                RedisResult::Ok((connection, answer))
            };
            match asked.await {
                Err(error) if !error.is_io_error() => failure = error,
                reached => return reached,
            }
        }
    }
    Err(failure)
}

/// The epoch first: where a failover comes between the two questions, the server is newer than its epoch says, and is
/// looked for again.
async fn ask(connection: &mut MultiplexedConnection, name: &str) -> RedisResult<Primary> {
    let known: HashMap<String, Value> = cmd("SENTINEL")
        .arg("MASTER")
        .arg(name)
        .query_async(connection)
        .await?;
    let epoch = known.get("config-epoch").cloned();
    let epoch = epoch.and_then(|epoch| u64::from_redis_value(epoch).ok());
    let address: Option<(String, u16)> = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name)
        .query_async(connection)
        .await?;
    let (host, port) =
        address.ok_or_else(|| invalid("the sentinel knows no master of this name"))?;
    Ok(Primary {
        node: ServerAddress::Host(host.into(), port),
        epoch: epoch.unwrap_or(0),
    })
}

async fn check_role(settings: &RedisSettings, node: &ServerAddress) -> RedisResult<()> {
    let role: Vec<Value> = cmd("ROLE")
        .query_async(&mut open(settings, node, ANSWER).await?)
        .await?;
    let role = role.into_iter().next().map(redis::from_redis_value);
    let role: String = role.ok_or_else(nobody)??;
    if role == "master" {
        Ok(())
    } else {
        Err(invalid("the sentinel named a server that is no master"))
    }
}

fn nobody() -> RedisError {
    invalid("no server answers")
}
