//! The connections of the service account.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ldap3_proto::proto::LdapSearchRequest;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::connection::{BindAnswer, Connection, SearchAnswer};
use super::error::LdapError;
use super::settings::LdapSettings;
use crate::ambient;
use crate::net::Dialer;

/// So many connections search at once; further ones wait for their turn.
const CONNECTIONS: usize = 8;

/// How long a connection may rest. Firewalls forget those that rest for longer without telling either side.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Connections that are bound as the service account. Users never bind on them, and nobody searches on a connection that
/// a user bound.
pub(super) struct Pool {
    resting: Mutex<Vec<Resting>>,
    places: Semaphore,
}

struct Resting {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            resting: Mutex::default(),
            places: Semaphore::new(CONNECTIONS),
        }
    }

    /// Searches before `deadline`. A connection that has rested may have died: a new one is made then, once.
    pub(super) async fn search(
        &self,
        settings: &LdapSettings,
        searches: &[LdapSearchRequest],
        deadline: Instant,
    ) -> Result<Vec<SearchAnswer>, LdapError> {
        let waited = timeout_at(deadline.into(), self.places.acquire()).await;
        let Ok(Ok(_place)) = waited else {
            return Err(late(settings));
        };
        if let Some(mut rested) = self.take() {
            // one that has died silently must leave time for another
            let now = ambient::now();
            let early = now + deadline.saturating_duration_since(now) / 3;
            if let Ok(Ok(answers)) = timeout_at(early.into(), rested.search(searches)).await {
                self.put(rested);
                return Ok(answers);
            }
            // who was restarted has closed the others, too
            self.lock().clear();
        }
        let fresh = async {
            let mut connection = connect(settings, deadline).await?;
            let answers = connection.search(searches).await?;
            Ok((connection, answers))
        };
        let (connection, answers) = timeout_at(deadline.into(), fresh)
            .await
            .unwrap_or_else(|_| Err(late(settings)))?;
        self.put(connection);
        Ok(answers)
    }

    fn take(&self) -> Option<Connection> {
        let mut resting = self.lock();
        let now = ambient::now();
        resting.retain(|one| now.saturating_duration_since(one.since) < LONGEST_REST);
        resting.pop().map(|one| one.connection)
    }

    fn put(&self, connection: Connection) {
        let since = ambient::now();
        let mut resting = self.lock();
        if resting.len() < CONNECTIONS {
            resting.push(Resting { connection, since });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new connection, bound as the service account where there is one.
pub(super) async fn connect(
    settings: &LdapSettings,
    deadline: Instant,
) -> Result<Connection, LdapError> {
    let mut connection = open(settings, deadline).await?;
    if let Some(account) = &settings.service_account {
        let answer = connection.bind(&account.dn, account.password.expose_secret());
        if answer.await? == BindAnswer::Refused {
            let why = format!("it refuses the password of `bind_dn`, `{}`", account.dn);
            return Err(LdapError::Unavailable(why));
        }
    }
    Ok(connection)
}

/// A new connection, anonymous. Names are looked up anew: a directory is connected to rarely.
pub(super) async fn open(
    settings: &LdapSettings,
    deadline: Instant,
) -> Result<Connection, LdapError> {
    let limit = deadline.saturating_duration_since(ambient::now());
    Connection::open(&Dialer::default(), settings, limit).await
}

pub(super) fn late(settings: &LdapSettings) -> LdapError {
    LdapError::unavailable(format!("no answer within {:?}", settings.timeout))
}
