//! Finds the server and connects.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, Value, cmd,
};

use super::dial::{CONNECT, dial, invalid};
use super::link::Connection;
use crate::net::ServerAddress;
use crate::session::settings::{RedisKind, RedisSettings, RedisTls};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// How long the connection that waits for news may be silent: more than twice its own wait.
const NEWS: Duration = Duration::from_secs(3);

/// Two connections: one for orders, and one that waits for news.
pub(super) struct ConnectionPair {
    pub(super) orders: Connection,
    pub(super) news: Connection,
}

/// Connects to the server that can be written to.
pub(super) async fn connect(settings: &RedisSettings) -> RedisResult<ConnectionPair> {
    let node = match &settings.kind {
        RedisKind::Single => settings.nodes.first().cloned().ok_or_else(nobody)?,
        RedisKind::Sentinel(master) => find_master(settings, master).await?,
        RedisKind::Cluster => {
            return Ok(ConnectionPair {
                orders: cluster(settings, ANSWER).await?,
                news: cluster(settings, NEWS).await?,
            });
        }
    };
    let open = async |answer| open(settings, &node, answer).await.map(Connection::Single);
    Ok(ConnectionPair {
        orders: open(ANSWER).await?,
        news: open(NEWS).await?,
    })
}

/// Asks one sentinel after the other.
async fn find_master(settings: &RedisSettings, name: &str) -> RedisResult<ServerAddress> {
    let mut failure = nobody();
    for sentinel in &settings.nodes {
        // some sentinels want the password of their servers, and those without one refuse it
        let open = RedisSettings {
            username: None,
            password: None,
            ..settings.clone()
        };
        for asked in std::iter::once(&open).chain(settings.password.is_some().then_some(settings)) {
            match ask_sentinel(asked, sentinel, name).await {
                Ok(node) => return master_at(settings, node).await,
                Err(error) => failure = error,
            }
        }
    }
    Err(failure)
}

async fn ask_sentinel(
    settings: &RedisSettings,
    sentinel: &ServerAddress,
    name: &str,
) -> RedisResult<ServerAddress> {
    let asked = RedisSettings {
        database: 0,
        ..settings.clone()
    };
    let address: Option<(String, u16)> = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name)
        .query_async(&mut open(&asked, sentinel, ANSWER).await?)
        .await?;
    let (host, port) =
        address.ok_or_else(|| invalid("the sentinel knows no master of this name"))?;
    Ok(ServerAddress::Host(host.into(), port))
}

async fn master_at(settings: &RedisSettings, node: ServerAddress) -> RedisResult<ServerAddress> {
    let role: Vec<Value> = cmd("ROLE")
        .query_async(&mut open(settings, &node, ANSWER).await?)
        .await?;
    let role: String = role
        .into_iter()
        .next()
        .map(redis::from_redis_value)
        .ok_or_else(nobody)??;
    if role == "master" {
        Ok(node)
    } else {
        Err(invalid("the sentinel named a server that is no master"))
    }
}

async fn cluster(settings: &RedisSettings, answer: Duration) -> RedisResult<Connection> {
    let nodes = settings
        .nodes
        .iter()
        .map(|node| info(settings, node))
        .collect::<RedisResult<Vec<_>>>()?;
    ClusterClientBuilder::new(nodes)
        .connection_timeout(CONNECT)
        .response_timeout(answer)
        .overall_response_timeout(Some(answer))
        .retries(1)
        .build()?
        .get_async_generic_connection()
        .await
        .map(Connection::Cluster)
}

async fn open(
    settings: &RedisSettings,
    node: &ServerAddress,
    answer: Duration,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(answer));
    dial(node, settings.tls, &login(settings), config).await
}

fn login(settings: &RedisSettings) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(settings.database);
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.as_str());
    }
    login
}

/// A node of a cluster, as the library passes it on to `NodeConnection`.
fn info(settings: &RedisSettings, node: &ServerAddress) -> RedisResult<ConnectionInfo> {
    let address = match (node, settings.tls) {
        (ServerAddress::Unix(path), _) => ConnectionAddr::Unix(path.clone()),
        (ServerAddress::Host(host, port), RedisTls::Off) => {
            ConnectionAddr::Tcp(host.to_string(), *port)
        }
        (ServerAddress::Host(host, port), RedisTls::On) => ConnectionAddr::TcpTls {
            host: host.to_string(),
            port: *port,
            insecure: false,
            tls_params: None,
        },
    };
    let info = address.into_connection_info()?;
    Ok(info.set_redis_settings(login(settings)))
}

fn nobody() -> RedisError {
    invalid("no server answers")
}
