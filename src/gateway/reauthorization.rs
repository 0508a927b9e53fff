//! Whether what was allowed once is still allowed: an upgraded connection lives longer than the decision about it.

use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use tokio::sync::watch;

use super::trust_generation::TrustGeneration;
use super::worker::{Pinned, Worker};
use crate::access::ClientAddress;
use crate::ambient;
use crate::identify::{CredentialOutcome, Identified};
use crate::wire::{Credential, Destination, Intake};

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
    expires_at: Option<u64>,
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
    /// With the configuration in force now, it would not be allowed.
    NotAllowed,
}

impl Reauthorization {
    /// Of a request that has just been allowed under this snapshot. `expires_at` is in seconds since 1970; `None`: the
    /// decision does not depend on a token.
    pub(super) fn new(
        worker: &Rc<Worker>,
        pinned: &Pinned,
        intake: &Intake,
        service: &str,
        expires_at: Option<u64>,
    ) -> Self {
        Self {
            worker: Rc::clone(worker),
            method: intake.head.method.clone(),
            host: intake.host.name().into(),
            service: service.into(),
            path: intake.head.uri.path().into(),
            credential: intake.credential.clone(),
            client: intake.client.address,
            expires_at,
            trust: pinned.snapshot.trust,
            reloads: worker.reloads(),
            revocations: worker.revocations().changed(),
            keys: pinned.snapshot.key_changes(),
        }
    }

    /// Waits until it is not allowed any more. It is decided at the start too, since nobody was notified of what changed
    /// between the decision about the request and the subscriptions.
    pub(super) async fn ended(mut self) -> TunnelEnd {
        let mut expired = Box::pin(expiry(self.expires_at));
        while self.still_allowed(&self.worker.pin()) {
            let changed = tokio::select! {
                () = &mut expired => return TunnelEnd::Expired,
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

    /// Decides the request as if it was sent now.
    fn still_allowed(&self, pinned: &Pinned) -> bool {
        let snapshot = &*pinned.snapshot;
        if snapshot.trust != self.trust {
            return false;
        }
        let own = snapshot.portal.own_paths();
        let found = own.resolve(&snapshot.router, &self.method, &self.host, &self.path);
        let Ok(Destination::Service(found)) = found else {
            return false;
        };
        let credential = self.credential.as_ref();
        let Identified { caller, .. } = self.worker.identify(pinned, credential, self.client);
        let service = &snapshot.services[found.service()];
        // another service's rules say nothing about the one behind the tunnel
        *service.name == *self.service
            && service
                .policy
                .enforce(&self.method, found.path(), &caller)
                .is_ok()
    }
}

/// Until when a decision holds that was made on this credential.
pub(super) fn holds_until(credential: &CredentialOutcome) -> Option<u64> {
    match credential {
        CredentialOutcome::Holds { expires_at, .. } => Some(*expires_at),
        CredentialOutcome::Absent | CredentialOutcome::Refused(_) => None,
    }
}

/// One timer a tunnel, not one a request: the coarse ticker drifts by minutes in the hours that a tunnel lasts.
fn expiry(at: Option<u64>) -> impl Future<Output = ()> {
    let left = at.map(|at| Duration::from_secs(at.saturating_sub(ambient::unix_seconds())));
    async move {
        match left {
            Some(left) => tokio::time::sleep(left).await,
            None => pending().await,
        }
    }
}

impl TunnelEnd {
    /// For the access log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Expired => "closed: the token has expired",
            Self::NotAllowed => "closed: it is not allowed any more",
        }
    }
}
