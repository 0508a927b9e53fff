//! The connection in use, if there is one, and word of its trouble.

use std::cell::{Cell, RefCell};

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation};
use tokio::sync::Notify;

use super::dial::NodeConnection;
use crate::ambient;

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
    outage: Cell<Option<Outage>>,
}

/// The last time without a connection, in seconds since 1970.
#[derive(Clone, Copy)]
struct Outage {
    began: u64,
    /// `None` while it lasts.
    ended: Option<u64>,
}

/// For how many seconds after an outage what was under way when it began may still be repeated: clients were told that the
/// store is away, and try again.
const REPEATED: u64 = 60;

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
        let ended = Some(ambient::unix_seconds());
        let outage = self.outage.get();
        self.outage
            .set(outage.map(|outage| Outage { ended, ..outage }));
        self.generation.set(self.generation.get() + 1);
        self.connection.replace(Some(connection));
    }

    pub(super) fn close(&self) {
        if self.connection.take().is_some() {
            let began = ambient::unix_seconds();
            self.outage.set(Some(Outage { began, ended: None }));
        }
    }

    /// A token that was spent since then may be shown again by who has spent it. An exchange that an outage has cut off
    /// was made or not, and its client has only the token that it showed: what was spent a moment before an outage counts
    /// as spent a moment ago until a while after it.
    pub(super) fn spent_since(&self, ordinary: u64, now: u64) -> u64 {
        let grace = now.saturating_sub(ordinary);
        match self.outage.get() {
            Some(Outage { began, ended }) if ended.is_none_or(|ended| now <= ended + REPEATED) => {
                ordinary.min(began.saturating_sub(grace))
            }
            Some(_) | None => ordinary,
        }
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
