//! Finds the server and connects.

use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError, RedisResult};

use super::dial::{ANSWER, CONNECT, invalid, login, open};
use super::link::Connection;
use super::sentinel::{self, Primary};
use crate::net::ServerAddress;
use crate::session::settings::{RedisKind, RedisSettings, RedisTls};

/// How long the connection that waits for news may be silent: more than twice its own wait.
const NEWS: Duration = Duration::from_secs(3);

/// Two connections: one for orders, and one that waits for news.
pub(super) struct ConnectionPair {
    pub(super) orders: Connection,
    pub(super) news: Connection,
    /// The server, where sentinels have named it.
    pub(super) primary: Option<Primary>,
}

/// Connects to the server that can be written to.
pub(super) async fn connect(settings: &RedisSettings) -> RedisResult<ConnectionPair> {
    let primary = match &settings.kind {
        RedisKind::Single => None,
        RedisKind::Sentinel(master) => Some(sentinel::find(settings, master).await?),
        RedisKind::Cluster => {
            return Ok(ConnectionPair {
                orders: cluster(settings, ANSWER).await?,
                news: cluster(settings, NEWS).await?,
                primary: None,
            });
        }
    };
    let node = match &primary {
        Some(primary) => &primary.node,
        None => settings.nodes.first().ok_or_else(nobody)?,
    };
    let open = async |answer| open(settings, node, answer).await.map(Connection::Single);
    Ok(ConnectionPair {
        orders: open(ANSWER).await?,
        news: open(NEWS).await?,
        primary,
    })
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
