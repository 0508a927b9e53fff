//! The connection in use, if there is one, and word of its trouble.

use std::cell::{Cell, RefCell};

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation};
use tokio::sync::Notify;

use super::dial::NodeConnection;

/// A connection to one server, or to a cluster. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection<NodeConnection>),
}

/// The connection that jobs use. There is none while the store is away.
#[derive(Default)]
pub(super) struct Link {
    connection: RefCell<Option<Connection>>,
    generation: Cell<u64>,
    trouble: RefCell<Option<String>>,
    reported: Notify,
}

impl Connection {
    pub(super) async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    pub(super) async fn run<T: FromRedisValue>(
        &mut self,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        match self {
            Self::Single(connection) => script.invoke_async(connection).await,
            Self::Cluster(connection) => script.invoke_async(connection).await,
        }
    }
}

impl Link {
    pub(super) fn open(&self, connection: Connection) {
        self.trouble.take();
        self.generation.set(self.generation.get() + 1);
        self.connection.replace(Some(connection));
    }

    pub(super) fn close(&self) {
        self.connection.take();
    }

    /// The connection, and which one it is.
    pub(super) fn connection(&self) -> Option<(Connection, u64)> {
        Some((self.connection.borrow().clone()?, self.generation.get()))
    }

    /// A job could not be done. Nobody uses that connection from now on; a later one is not meant.
    pub(super) fn report(&self, generation: u64, trouble: String) {
        if generation != self.generation.get() {
            return;
        }
        self.close();
        self.trouble.replace(Some(trouble));
        self.reported.notify_one();
    }

    /// Waits for trouble since the link was opened.
    pub(super) async fn trouble(&self) -> String {
        loop {
            if let Some(trouble) = self.trouble.take() {
                return trouble;
            }
            self.reported.notified().await;
        }
    }
}
