//! Where sessions are: in a store that this process opens, or in a gateway that runs.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::gateway::RunningGateway;
use crate::ambient;
use crate::cli::load;
use crate::config::Token;
use crate::session::{
    ListedSession, SessionSelector, Sessions, StateError, StateSettings, StoreUnavailable, Times,
};
use crate::telemetry::metrics::Metrics;

/// How long a Redis may take to be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where sessions are.
pub(in crate::cli) enum SessionAccess {
    Store(OpenStore),
    Gateway(RunningGateway),
    /// One that forgets them when it ends.
    Memory(RunningGateway),
}

/// A store of this process.
pub(in crate::cli) struct OpenStore {
    sessions: Sessions,
    runtime: Runtime,
    refresh_ttl: u64,
    longest_token: u64,
}

impl SessionAccess {
    /// Finds out where the sessions of a configuration are.
    ///
    /// # Errors
    /// Where they are out of reach, and what to do then.
    pub(in crate::cli) fn open(config: &Path) -> anyhow::Result<Self> {
        let loaded = load::load_to_look(config)?;
        let (state, token) = (&loaded.state, &loaded.auth.token);
        match state {
            StateSettings::Redis(_) => OpenStore::redis(state, token).map(Self::Store),
            StateSettings::Memory => {
                let gateway = RunningGateway::find(config)?.context(
                    "with `state: memory` sessions are in the running gateway, and `admin.listen` is `off`: set it to \
                     `127.0.0.1:9900`, or keep sessions in a `file:` or a Redis",
                )?;
                Ok(Self::Memory(gateway))
            }
            StateSettings::File(path) => match OpenStore::file(path, state, token)? {
                Some(store) => Ok(Self::Store(store)),
                None => {
                    let gateway = RunningGateway::find(config)?.with_context(|| {
                        format!(
                            "a running gateway has `{}`, and `admin.listen` is `off`: set it to `127.0.0.1:9900`, or stop the \
                             gateway first",
                            path.display()
                        )
                    })?;
                    Ok(Self::Gateway(gateway))
                }
            },
        }
    }

    /// All sessions of a user, or of a provider's users, where one is named.
    pub(super) fn list(
        &self,
        user: Option<&str>,
        provider: Option<&str>,
    ) -> anyhow::Result<Vec<Value>> {
        let (mut all, mut seen, mut next) = (Vec::new(), HashSet::new(), Some(0));
        while let Some(from) = next {
            let (page, after) = match self {
                Self::Store(store) => store.page(user, provider, from)?,
                Self::Gateway(gateway) | Self::Memory(gateway) => {
                    gateway.page(user, provider, from)?
                }
            };
            // one may be on two pages where others come and go meanwhile
            let mut is_new = |session: &Value| seen.insert(session["id"].to_string());
            all.extend(page.into_iter().filter(|session| is_new(session)));
            next = after;
        }
        Ok(all)
    }

    /// What a person has added as second factors; `None` where nothing is kept.
    pub(in crate::cli) fn factors(&self, user: &str) -> anyhow::Result<Option<Value>> {
        match self {
            Self::Store(store) => {
                let found = store.sessions.factor_summary(user);
                let found = store.runtime.block_on(found).map_err(away)?;
                Ok(found.map(|found| found.to_json()))
            }
            Self::Gateway(gateway) | Self::Memory(gateway) => gateway.factors(user),
        }
    }

    /// Removes all of them; says whether there were any.
    pub(in crate::cli) fn remove_factors(&self, user: &str) -> anyhow::Result<bool> {
        match self {
            Self::Store(store) => {
                let removed = store.sessions.remove_factors(user);
                store.runtime.block_on(removed).map_err(away)
            }
            Self::Gateway(gateway) | Self::Memory(gateway) => gateway.remove_factors(user),
        }
    }

    /// What an operator should know of sessions that are not found there.
    pub(super) fn note(&self) -> Option<&'static str> {
        matches!(self, Self::Memory(_)).then_some(
            "with `state: memory` sessions from before the start of the gateway are not known: they are not listed, and not ended",
        )
    }

    /// Ends sessions; says how many.
    pub(super) fn end(&self, selector: &SessionSelector) -> anyhow::Result<usize> {
        match self {
            Self::Store(store) => store.end(selector),
            Self::Gateway(gateway) | Self::Memory(gateway) => gateway.end(selector),
        }
    }
}

impl OpenStore {
    fn redis(state: &StateSettings, token: &Token) -> anyhow::Result<Self> {
        let store = Self::start(state, token)?.map_err(|error| anyhow!("{error}"))?;
        let ready = store
            .runtime
            .block_on(async { timeout(PATIENCE, store.sessions.ready()).await });
        match ready {
            Ok(Ok(())) => Ok(store),
            Ok(Err(error)) => bail!("{error}"),
            Err(_) => bail!(
                "`{state}` is not there within {PATIENCE:?}; `gatelatch check --probe` says why"
            ),
        }
    }

    /// `None` where a gateway has the file.
    fn file(path: &Path, state: &StateSettings, token: &Token) -> anyhow::Result<Option<Self>> {
        // to make it would be to make it this user's
        if !path.exists() {
            bail!(
                "there is no `{}`: no gateway with this configuration has run yet",
                path.display()
            );
        }
        match Self::start(state, token)? {
            Ok(store) => Ok(Some(store)),
            Err(StateError::InUse(_)) => Ok(None),
            Err(error) => bail!("{error}"),
        }
    }

    fn start(state: &StateSettings, token: &Token) -> anyhow::Result<Result<Self, StateError>> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system refuses what the state store needs")?;
        let sessions = Sessions::start(state, Metrics::new(), ambient::hash_state());
        Ok(sessions.map(|sessions| Self {
            sessions,
            runtime,
            refresh_ttl: token.refresh_ttl.as_secs(),
            longest_token: (token.max_lifetime + token.leeway).as_secs(),
        }))
    }

    fn page(
        &self,
        user: Option<&str>,
        provider: Option<&str>,
        from: u64,
    ) -> anyhow::Result<(Vec<Value>, Option<u64>)> {
        let now = ambient::unix_seconds();
        let page = self.sessions.list_sessions(user, provider, from, now);
        let page = self.runtime.block_on(page).map_err(away)?;
        let list = page.list.iter().map(ListedSession::to_json);
        Ok((list.collect(), page.next))
    }

    fn end(&self, selector: &SessionSelector) -> anyhow::Result<usize> {
        let now = ambient::unix_seconds();
        let times = Times {
            now,
            ttl: self.refresh_ttl,
            last_token: now.saturating_add(self.longest_token),
        };
        let ended = self.sessions.end_selected(selector, times);
        self.runtime
            .block_on(ended)
            .map_err(away)
            .context("some of the sessions may go on")
    }
}

fn away(error: StoreUnavailable) -> anyhow::Error {
    anyhow!("{error}; `gatelatch check --probe` says why")
}
