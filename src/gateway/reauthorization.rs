//! Whether what was allowed once is still allowed: an upgraded connection lives longer than the decision about it.

use std::future::pending;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use tokio::sync::watch;

use super::basic::{PairVerdict, TRIES, check};
use super::note::note_login;
use super::trust_generation::TrustGeneration;
use super::worker::{Pinned, Worker};
use crate::access::ClientAddress;
use crate::ambient::{self, Ticker};
use crate::identify::CredentialOutcome;
use crate::wire::{Credential, CredentialSource, Destination, Intake};

/// How often an open connection looks at the clock: a clock that is set, and a machine that slept, end it too.
const LOOK: Duration = Duration::from_secs(2);

/// A request that was allowed, and all that the next decision about it is made on.
pub(super) struct Reauthorization {
    worker: Rc<Worker>,
    method: Method,
    host: Box<str>,
    /// The name of the service that the tunnel leads to.
    service: Box<str>,
    /// As sent: another configuration may read it in another way.
    path: Box<str>,
    credential: Option<Credential>,
    client: ClientAddress,
    /// For whom failed attempts count.
    accountable: IpAddr,
    /// In seconds since 1970.
    opened_at: u64,
    ends_at: Option<u64>,
    trust: TrustGeneration,
    reloads: watch::Receiver<()>,
    revocations: watch::Receiver<()>,
    keys: watch::Receiver<()>,
}

/// Why an upgraded connection may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TunnelEnd {
    /// Its token has expired.
    Expired,
    /// Its session is as old as it may be.
    SessionOver,
    /// With the configuration in force now, it would not be allowed.
    NotAllowed,
}

impl Reauthorization {
    /// Of a request that has just been allowed under this snapshot. `ends_at` is in seconds since 1970; `None`: the
    /// decision does not depend on a token.
    pub(super) fn new(
        worker: &Rc<Worker>,
        pinned: &Pinned,
        intake: &Intake,
        service: &str,
        ends_at: Option<u64>,
    ) -> Self {
        Self {
            worker: Rc::clone(worker),
            method: intake.head.method.clone(),
            host: intake.host.name().into(),
            service: service.into(),
            path: intake.head.uri.path().into(),
            credential: intake.credential.as_ref().map(Credential::detached),
            client: intake.client.address,
            accountable: intake.client.accountable_address(),
            opened_at: ambient::unix_seconds(),
            ends_at,
            trust: pinned.snapshot.trust,
            reloads: worker.reloads(),
            revocations: worker.revocations().changed(),
            keys: pinned.snapshot.key_changes(),
        }
    }

    /// Waits until it is not allowed any more. It is decided at the start too, since nobody was notified of what changed
    /// between the decision about the request and the subscriptions.
    pub(super) async fn ended(mut self) -> TunnelEnd {
        let mut expired = Box::pin(expiry(self.worker.ticker.clone(), self.ends_at));
        while let Some(look_again) = self.decide().await {
            let changed = tokio::select! {
                () = &mut expired => return self.over(),
                () = after(&self.worker.ticker, look_again) => Ok(()),
                changed = self.reloads.changed() => changed,
                changed = self.revocations.changed() => changed,
                changed = self.keys.changed() => changed,
            };
            // without a sender the gateway is at its end, which cuts the connection off by itself
            if changed.is_err() {
                break;
            }
        }
        TunnelEnd::NotAllowed
    }

    /// Why it ends with its time.
    fn over(&self) -> TunnelEnd {
        let source = self.credential.as_ref().map(Credential::source);
        if source == Some(CredentialSource::Cookie) {
            TunnelEnd::SessionOver
        } else {
            TunnelEnd::Expired
        }
    }

    /// The same as [`Self::still_allowed`], after a check of the password where nobody has checked it under the snapshot in
    /// force: a reload forgets the former check, and says nothing of the password.
    async fn decide(&self) -> Option<Option<u64>> {
        for _ in 0..TRIES {
            let pinned = self.worker.pin();
            let credential = self.credential.as_ref();
            let unchecked = self.worker.unchecked(&pinned, credential, self.client);
            // what was refused when the connection was opened gets no further check
            let Some(pair) = unchecked.filter(|_| self.ends_at.is_some()) else {
                return self.still_allowed(&pinned);
            };
            // on the heap, as what nearly all connections never wait for
            let PairVerdict { refused, login } =
                Box::pin(check(&pinned.snapshot, &pair, self.accountable)).await;
            if let Some(event) = login {
                note_login(&self.worker, &event, self.client);
            }
            if refused.is_some() {
                return self.still_allowed(&self.worker.pin());
            }
        }
        None
    }

    /// Decides the request as if it was sent now; where it is allowed, after how many seconds to decide it again, whatever
    /// happens until then.
    fn still_allowed(&self, pinned: &Pinned) -> Option<Option<u64>> {
        let snapshot = &*pinned.snapshot;
        if snapshot.trust != self.trust {
            return None;
        }
        let own = snapshot.portal.own_paths();
        let found = own.resolve(&snapshot.router, &self.method, &self.host, &self.path);
        let Ok(Destination::Service(found)) = found else {
            return None;
        };
        let service = &snapshot.services[found.service()];
        let accepts = |credential: &&Credential| service.credentials.accepts(credential.source());
        let credential = self.credential.as_ref().filter(accepts);
        let (worker, client) = (&self.worker, self.client);
        let opener = worker.identify_opener(pinned, credential, client, self.opened_at);
        // another service's rules say nothing about the one behind the tunnel
        let is_allowed = *service.name == *self.service
            && service
                .policy
                .enforce(&self.method, found.path(), &opener.caller)
                .is_ok();
        is_allowed.then_some(opener.look_again)
    }
}

/// Until when a connection may last that was opened with this credential.
pub(super) fn holds_until(credential: &CredentialOutcome) -> Option<u64> {
    match credential {
        CredentialOutcome::Holds {
            connection_ends_at, ..
        } => Some(*connection_ends_at),
        CredentialOutcome::Absent | CredentialOutcome::Refused(_) => None,
    }
}

/// Waits for so many seconds; for ever where there are none.
async fn after(ticker: &Ticker, seconds: Option<u64>) {
    let Some(seconds) = seconds else {
        return pending().await;
    };
    let deadline = ticker.deadline();
    deadline.arm(Duration::from_secs(seconds));
    deadline.passed().await;
}

/// Waits until the wall clock says that it is time: timers stand still while a machine sleeps.
async fn expiry(ticker: Ticker, at: Option<u64>) {
    let Some(at) = at else {
        return pending().await;
    };
    let deadline = ticker.deadline();
    loop {
        let left = Duration::from_secs(at.saturating_sub(ambient::unix_seconds()));
        if left.is_zero() {
            return;
        }
        deadline.arm(left.min(LOOK));
        deadline.passed().await;
    }
}

impl TunnelEnd {
    /// For the access log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Expired => "closed: the token has expired",
            Self::SessionOver => "closed: the session is as old as it may be",
            Self::NotAllowed => "closed: it is not allowed any more",
        }
    }
}
