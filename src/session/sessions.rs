//! The handle to the store: what the rest of the house asks of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::attempt::{
    Account, Admission, AttemptLimits, Begun, LoginAttempt, Network, PasswordResult, Subject,
    Throttled,
};
use super::family::{Exchange, Family, GRACE, Look};
use super::health::{State, StoreHealth};
use super::in_flight::{CheckInFlight, ChecksInFlight};
use super::job::{
    EndSession, ExchangeOrder, GoodRefreshToken, Job, Open, RecordAttempt, TokenExchange,
};
use super::refresh_token::RefreshToken;
use super::reply::{JobReply, StoreUnavailable};
use super::revocations::Revocations;
use super::settings::{AtStart, StateSettings};
use super::store_thread::{StateError, StoreThread};
use crate::telemetry::metrics::Metrics;
use crate::text::fold::fold;
use crate::token::{SessionId, SignIn};

/// Jobs that may wait; further ones are refused. Each waits for a client that has logged in, or tries to.
const QUEUE: usize = 1024;

/// How long an answer may take. Longer than any single call of a remote store, which has a limit of its own.
const PATIENCE: Duration = Duration::from_secs(3);

/// A handle to the store. Clones share it, and its thread ends with the last one.
#[derive(Clone)]
pub struct Sessions {
    queue: Sender<Job>,
    revocations: Arc<Revocations>,
    health: Arc<StoreHealth>,
    checks: Arc<ChecksInFlight>,
    is_durable: bool,
}

/// The times that matter to the refresh tokens of a session, in seconds since 1970 and in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Now.
    pub now: u64,
    /// How long a refresh token is good.
    pub ttl: u64,
    /// When the last access token that the session could have now will have expired.
    pub last_token: u64,
}

impl Times {
    fn end(&self, session: SessionId) -> EndSession {
        EndSession {
            session,
            now: self.now,
            last_token: self.last_token,
            last_refresh: self.last_refresh(),
        }
    }

    /// When the last refresh token that the session could have now will have expired.
    pub(super) fn last_refresh(&self) -> u64 {
        self.now.saturating_add(self.ttl)
    }
}

/// Which lockout an operator lifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearLockout<'a> {
    /// Of an account from one network.
    Pair(&'a str, IpAddr),
    /// Of a network, over all accounts.
    Network(IpAddr),
    /// The slowing of an account from everywhere.
    Account(&'a str),
}

impl Sessions {
    /// Opens the store and starts its thread. A file is open when this returns; Redis may still be away, see
    /// [`Sessions::ready`].
    ///
    /// # Errors
    /// Where the file cannot be used, or the system gives no thread.
    pub fn start(
        settings: &StateSettings,
        metrics: Arc<Metrics>,
        hasher: RandomState,
    ) -> Result<Self, StateError> {
        let revocations = Revocations::new(hasher.clone());
        let state = match settings {
            StateSettings::Memory | StateSettings::File(_) => State::Up,
            StateSettings::Redis(_) => State::Starting,
        };
        let at_start = match settings {
            StateSettings::Redis(_) if settings.is_awaited() => AtStart::Wait,
            StateSettings::Redis(_) | StateSettings::Memory | StateSettings::File(_) => {
                AtStart::Serve
            }
        };
        let name = settings.to_string();
        let health = Arc::new(StoreHealth::new(name, state, at_start, metrics));
        let (queue, jobs) = channel(QUEUE);
        let thread = StoreThread {
            jobs,
            revocations: Arc::clone(&revocations),
            health: Arc::clone(&health),
        };
        thread.serve(settings, hasher)?;
        Ok(Self {
            queue,
            revocations,
            health,
            checks: Arc::default(),
            is_durable: *settings != StateSettings::Memory,
        })
    }

    /// Waits until the store was reached and every ended session is known.
    ///
    /// # Errors
    /// [`StateError::Ended`] where the store will never be reached.
    pub async fn ready(&self) -> Result<(), StateError> {
        let mut state = self.health.watch();
        tokio::select! {
            reached = state.wait_for(|state| *state == State::Up) => {
                reached.map(drop).map_err(|_| StateError::Ended)
            }
            () = self.queue.closed() => Err(StateError::Ended),
        }
    }

    /// What the store is called; without credentials.
    pub fn name(&self) -> &str {
        self.health.name()
    }

    /// Whether what is kept is there after a restart.
    pub fn is_durable(&self) -> bool {
        self.is_durable
    }

    /// Whether logins, refreshes and logouts can be served now. It does not block.
    pub fn is_up(&self) -> bool {
        self.health.state() == State::Up
    }

    /// Which sessions have ended.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Begins a session with its first refresh token. Its tokens say of the sign-in what it was, however often they are
    /// refreshed.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then there is no session.
    pub async fn open(
        &self,
        subject: &str,
        first: &RefreshToken,
        sign_in: SignIn,
        times: Times,
    ) -> Result<(), StoreUnavailable> {
        let mut family = Family::open(subject.into(), first.digest(), times.now, times.ttl);
        family.provider = first.holder().map(|holder| holder.provider.clone());
        family.sign_in = sign_in;
        let open = Open {
            session: first.session(),
            family,
            now: times.now,
        };
        self.order(|reply| Job::Open(open, reply)).await
    }

    /// Exchanges a refresh token for a fresh one of the same session, for a client at this address.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then the exchange may have been made, and the token that was shown is good for a moment longer.
    pub async fn exchange(
        &self,
        shown: &RefreshToken,
        fresh: &RefreshToken,
        client: IpAddr,
        times: Times,
    ) -> Result<TokenExchange, StoreUnavailable> {
        let exchange = Exchange {
            shown: shown.digest(),
            stamp: shown.stamp(),
            fresh: fresh.digest(),
            network: Network::of(client),
            now: times.now,
            ttl: times.ttl,
            spent_since: times.now.saturating_sub(GRACE),
        };
        let order = ExchangeOrder {
            session: shown.session(),
            exchange,
            last_token: times.last_token,
        };
        self.order(|reply| Job::Exchange(order, reply)).await
    }

    /// Whether a refresh token could be exchanged now; it stays as it is.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then nobody knows.
    pub async fn look(
        &self,
        shown: &RefreshToken,
        times: Times,
    ) -> Result<Option<GoodRefreshToken>, StoreUnavailable> {
        let look = Look {
            shown: shown.digest(),
            stamp: shown.stamp(),
            now: times.now,
            ttl: times.ttl,
        };
        self.order(|reply| Job::Look(shown.session(), look, reply))
            .await
    }

    /// Ends a session: its refresh tokens are spent, and its access tokens refused from now on.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then the session may go on.
    pub async fn end(&self, session: SessionId, times: Times) -> Result<(), StoreUnavailable> {
        let end = times.end(session);
        self.order(|reply| Job::End(end, reply)).await
    }

    /// Ends several sessions at once.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then some of them may go on.
    pub async fn end_all(
        &self,
        sessions: &[SessionId],
        times: Times,
    ) -> Result<(), StoreUnavailable> {
        // all are on their way before the first is waited for
        let placed: Vec<_> = sessions
            .iter()
            .map(|session| self.place(|reply| Job::End(times.end(*session), reply)))
            .collect();
        let wait = async {
            let mut all = Ok(());
            for answer in placed {
                let ended = match answer {
                    Ok(answer) => answer.await.unwrap_or(Err(StoreUnavailable)),
                    Err(StoreUnavailable) => Err(StoreUnavailable),
                };
                all = all.and(ended);
            }
            all
        };
        let ended = timeout(PATIENCE, wait).await;
        ended.unwrap_or(Err(StoreUnavailable))
    }

    /// Whether a session has ended, as far as this process knows.
    pub fn has_ended(&self, session: &SessionId) -> bool {
        self.revocations.contains(session)
    }

    /// Ends the session of a refresh token, spent or not, if there is one.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then the session may go on.
    pub async fn leave(&self, shown: &RefreshToken, times: Times) -> Result<(), StoreUnavailable> {
        let end = times.end(shown.session());
        self.order(|reply| Job::Leave(end, reply)).await
    }

    /// Begins the check of a password; before [`Sessions::check`], and kept until its result is recorded.
    ///
    /// # Errors
    /// [`Throttled`] where too many checks of the pair or the network are under way in this process.
    pub fn begin_check(
        &self,
        attempt: &LoginAttempt,
        limits: &AttemptLimits,
    ) -> Result<CheckInFlight, Throttled> {
        self.checks.begin(attempt, limits)
    }

    /// Whether, and why, a password may be looked at. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it must not. Inside, [`Throttled`]: not yet.
    pub async fn check(
        &self,
        attempt: LoginAttempt,
        now: u64,
    ) -> Result<Result<Admission, Throttled>, StoreUnavailable> {
        self.order(|reply| Job::Check(attempt, now, reply)).await
    }

    /// Records how the password check of an admitted login ended; says which lockouts began with it.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then the result must not count. Inside, [`Throttled`]: it must not either, as others have failed
    /// meanwhile.
    pub async fn record(
        &self,
        attempt: LoginAttempt,
        admission: Admission,
        result: PasswordResult,
        limits: AttemptLimits,
        now: u64,
    ) -> Result<Result<Begun, Throttled>, StoreUnavailable> {
        let record = RecordAttempt {
            attempt,
            admission,
            result,
            limits,
            now,
        };
        self.order(|reply| Job::Record(record, reply)).await
    }

    /// Lifts a lockout, and forgets the failures that led to it.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it may still be in force.
    pub async fn lift(&self, lift: ClearLockout<'_>) -> Result<(), StoreUnavailable> {
        // names of a directory count as it folds them
        let accounts = |name: &str| [Account::named(name), Account::named(&fold(name))];
        let subjects = match lift {
            ClearLockout::Pair(name, address) => accounts(name)
                .map(|account| Subject::Pair(account, Network::of(address)))
                .into(),
            ClearLockout::Network(address) => vec![Subject::Network(Network::of(address))],
            ClearLockout::Account(name) => accounts(name).map(Subject::Account).into(),
        };
        self.order(|reply| Job::ClearLockouts(subjects, reply))
            .await
    }

    pub(super) async fn order<T>(
        &self,
        job: impl FnOnce(JobReply<T>) -> Job,
    ) -> Result<T, StoreUnavailable> {
        timeout(PATIENCE, self.place(job)?)
            .await
            .map_err(|_| StoreUnavailable)?
            .map_err(|_| StoreUnavailable)?
    }

    /// Puts a job into the queue.
    pub(super) fn place<T>(
        &self,
        job: impl FnOnce(JobReply<T>) -> Job,
    ) -> Result<oneshot::Receiver<Result<T, StoreUnavailable>>, StoreUnavailable> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send(job(reply))
            .map_err(|_| StoreUnavailable)?;
        Ok(answer)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}
