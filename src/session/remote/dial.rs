//! One connection to one server, over the gateway's own dialer.

use std::io;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::Connect;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisError, RedisFuture, RedisResult, Value,
};
use tokio::time::timeout;

use crate::net::{Alpn, Dialer, ServerAddress, TlsSettings};
use crate::session::settings::{RedisSettings, RedisTls};

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(1);

/// Connects, and logs in.
pub(super) async fn dial(
    server: &ServerAddress,
    tls: RedisTls,
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let opening = async {
        let tls = (tls == RedisTls::On).then(TlsSettings::system);
        let tls = tls.as_ref().map(|tls| (tls, Alpn::None));
        // made anew: a connection is rare, and `resolv.conf` may have changed
        let stream = Dialer::default()
            .connect(server, tls, CONNECT)
            .await
            .map_err(|error| away(&error.to_string()))?;
        MultiplexedConnection::new_with_config(login, stream, config).await
    };
    let opened = timeout(CONNECT, opening).await;
    let (connection, driver) = opened.map_err(|_| away("no answer in time"))??;
    tokio::spawn(driver);
    Ok(connection)
}

/// Connects to a server of these settings.
pub(super) async fn open(
    settings: &RedisSettings,
    node: &ServerAddress,
    answer: Duration,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(answer));
    dial(node, settings.tls, &login(settings), config).await
}

pub(super) fn login(settings: &RedisSettings) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(settings.database);
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.as_str());
    }
    login
}

/// A connection to one node of a cluster. The library asks for one whenever it learns of a node.
#[derive(Clone)]
pub(super) struct NodeConnection(MultiplexedConnection);

impl Connect for NodeConnection {
    fn connect_with_config<'a, T>(info: T, config: AsyncConnectionConfig) -> RedisFuture<'a, Self>
    where
        T: IntoConnectionInfo + Send + 'a,
    {
        Box::pin(async move {
            let info = info.into_connection_info()?;
            let (server, tls) = match info.addr() {
                ConnectionAddr::Tcp(host, port) => (
                    ServerAddress::Host(host.as_str().into(), *port),
                    RedisTls::Off,
                ),
                ConnectionAddr::TcpTls { host, port, .. } => (
                    ServerAddress::Host(host.as_str().into(), *port),
                    RedisTls::On,
                ),
                ConnectionAddr::Unix(path) => (ServerAddress::Unix(path.clone()), RedisTls::Off),
                _ => return Err(invalid("an address of a kind that is not known")),
            };
            let opened = dial(&server, tls, info.redis_settings(), config).await;
            opened.map(Self)
        })
    }
}

impl ConnectionLike for NodeConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

fn away(why: &str) -> RedisError {
    let message = format!("the server cannot be reached: {why}");
    io::Error::new(io::ErrorKind::NotConnected, message).into()
}

pub(super) fn invalid(what: &'static str) -> RedisError {
    (ErrorKind::InvalidClientConfig, what).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_away_is_tried_again_and_no_inner_name_is_said() {
        let error = away("no connection: refused");
        assert_eq!(
            error.to_string(),
            "the server cannot be reached: no connection: refused"
        );
        assert!(error.is_io_error() && error.is_connection_dropped());
    }
}
