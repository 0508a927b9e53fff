//! One worker's own part of the gateway: nothing in here is shared with another thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::watch;

use super::confirmations::WorkerConfirmations;
use super::relay::RelayBuffer;
use super::snapshot::{CurrentSnapshot, ServiceSnapshot, Snapshot};
use super::trust_generation::TrustGeneration;
use super::unchecked::UncheckedPair;
use crate::access::ClientAddress;
use crate::ambient::{self, Ticker};
use crate::identify::{
    Authenticator, Identified, VerifiedTokens, identify, identify_opener, unchecked_password,
};
use crate::net::Dialer;
use crate::session::{RenewalView, Renewals, RevocationView, Revocations};
use crate::telemetry::access_log::LogShard;
use crate::telemetry::metrics::{Metrics, ServiceMetrics, Shard, UpstreamConnection};
use crate::telemetry::recent::RecentShard;
use crate::text::hex;
use crate::upstream::{ConnectionCounts, DialContext, ServerSet, Upstream};
use crate::wire::{Credential, CredentialSource};

/// What a worker is made of.
pub struct WorkerParts {
    /// The snapshot in force.
    pub shared: Arc<CurrentSnapshot>,
    /// Which sessions have ended.
    pub revocations: Arc<Revocations>,
    /// What providers have said of sessions lately.
    pub renewals: Renewals,
    /// The worker's deadlines.
    pub ticker: Ticker,
    /// Counters of the whole process.
    pub metrics: Arc<Metrics>,
    /// The worker's counters.
    pub shard: Shard,
    /// The worker's end of the access log.
    pub log: LogShard,
    /// Where the worker writes what an operator looks at first.
    pub recent: RecentShard,
    /// Makes request ids of this worker unlike those of every other.
    pub id_seed: [u8; 8],
    /// Whether memory is scarce.
    pub frugal: bool,
}

/// A worker thread's state.
pub struct Worker {
    shared: Arc<CurrentSnapshot>,
    pinned: RefCell<Rc<Pinned>>,
    dial_context: Rc<DialContext>,
    revocations: RevocationView,
    renewals: RenewalView,
    pub(super) ticker: Ticker,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shard: Shard,
    pub(super) log: LogShard,
    pub(super) recent: RecentShard,
    /// What tunnels read into.
    pub(super) relay_buffer: Rc<RelayBuffer>,
    id_prefix: u64,
    id_counter: Cell<u64>,
    ended: Cell<bool>,
}

/// A snapshot with this worker's connections and counters for it.
pub(super) struct Pinned {
    generation: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) handles: Vec<ServiceHandle>,
    pub(super) unrouted: ServiceMetrics,
    pub(super) portal: ServiceMetrics,
    /// Goes with the snapshot: a reload forgets every token.
    pub(super) verified: VerifiedTokens,
}

/// A worker's connections and counters for one service.
pub(super) struct ServiceHandle {
    pub(super) upstream: Rc<Upstream>,
    pub(super) metrics: ServiceMetrics,
}

impl Worker {
    /// A worker for the snapshot in force.
    pub fn new(parts: WorkerParts) -> Self {
        let counts = ConnectionCounts {
            idle: parts.shard.upstream_connections(UpstreamConnection::Idle),
            active: parts.shard.upstream_connections(UpstreamConnection::Active),
        };
        let dial_context = Rc::new(DialContext {
            dialer: Dialer::default(),
            ticker: parts.ticker.clone(),
            counts,
            frugal: parts.frugal,
        });
        let id_prefix = u64::from_le_bytes(parts.id_seed);
        let make =
            |service: &ServiceSnapshot| reach(service, &dial_context, &parts.shard, id_prefix);
        let generation = parts.shared.generation();
        let pinned = Pinned::new(generation, parts.shared.current(), &parts.shard, make);
        Self {
            shared: parts.shared,
            pinned: RefCell::new(Rc::new(pinned)),
            dial_context,
            revocations: parts.revocations.view(),
            renewals: parts.renewals.view(),
            ticker: parts.ticker,
            metrics: parts.metrics,
            shard: parts.shard,
            log: parts.log,
            recent: parts.recent,
            relay_buffer: Rc::default(),
            id_prefix,
            id_counter: Cell::new(0),
            ended: Cell::new(false),
        }
    }

    /// The snapshot for one whole request.
    pub(super) fn pin(&self) -> Rc<Pinned> {
        // the generation is read first: a snapshot that is newer than it is only checked once more
        let generation = self.shared.generation();
        if self.pinned.borrow().generation != generation {
            self.renew(generation);
        }
        Rc::clone(&self.pinned.borrow())
    }

    /// The settings in force by which clients are identified.
    pub fn trust(&self) -> TrustGeneration {
        self.pin().snapshot.trust
    }

    /// The snapshot in force, for a new connection.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.pin().snapshot)
    }

    /// Takes each new snapshot as soon as it is in force, so that a worker without requests lets go of the old one:
    /// of its users, and of the connections to upstreams that are no longer asked. `taken` gets each of them.
    pub async fn follow_reloads(&self, taken: impl Fn(&Snapshot)) {
        let mut changes = self.shared.changes();
        loop {
            taken(&self.pin().snapshot);
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Hears of each further snapshot that is put in force.
    pub(super) fn reloads(&self) -> watch::Receiver<()> {
        self.shared.changes()
    }

    /// Says that requests which are not over now are cut off by the gateway's own end.
    pub fn end(&self) {
        self.ended.set(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Which sessions have ended. What is open on behalf of a session hears of changes through
    /// [`RevocationView::changed`].
    pub fn revocations(&self) -> &RevocationView {
        &self.revocations
    }

    /// Step 4: checks the credential under this snapshot, as of now.
    pub(super) fn identify(
        &self,
        pinned: &Pinned,
        credential: Option<&Credential>,
        address: ClientAddress,
    ) -> Identified {
        let confirmations = self.confirmations(pinned);
        let checks = self.authenticator(pinned, &confirmations);
        identify(&checks, credential, address, ambient::unix_seconds())
    }

    /// The same for a connection that the credential opened at this second since 1970.
    pub(super) fn identify_opener(
        &self,
        pinned: &Pinned,
        credential: Option<&Credential>,
        address: ClientAddress,
        opened_at: u64,
    ) -> Identified {
        let times = (opened_at, ambient::unix_seconds());
        let confirmations = self.confirmations(pinned);
        let checks = self.authenticator(pinned, &confirmations);
        identify_opener(&checks, credential, address, times)
    }

    /// The user name and the password of a request that nobody has checked under this snapshot, for a client at this address.
    pub(super) fn unchecked(
        &self,
        pinned: &Pinned,
        credential: Option<&Credential>,
        client: ClientAddress,
    ) -> Option<UncheckedPair> {
        let credential = credential.filter(|one| one.source() == CredentialSource::Basic)?;
        let confirmations = self.confirmations(pinned);
        let checks = self.authenticator(pinned, &confirmations);
        Some(UncheckedPair {
            credentials: unchecked_password(&checks, credential, client, ambient::unix_seconds())?,
            digest: pinned.snapshot.passwords.digest(credential.token(), client),
            client,
        })
    }

    fn confirmations<'a>(&'a self, pinned: &'a Pinned) -> WorkerConfirmations<'a> {
        WorkerConfirmations {
            view: &self.renewals,
            snapshot: &pinned.snapshot,
        }
    }

    fn authenticator<'a>(
        &'a self,
        pinned: &'a Pinned,
        confirmations: &'a WorkerConfirmations<'a>,
    ) -> Authenticator<'a> {
        let snapshot = &*pinned.snapshot;
        Authenticator {
            verifier: &snapshot.verifier,
            trusted_issuers: &snapshot.trusted_issuers,
            browsers: &snapshot.browsers,
            directory: &snapshot.directory,
            passwords: &snapshot.passwords,
            revocations: &self.revocations,
            verified: &pinned.verified,
            providers: &snapshot.session_providers,
            confirmations,
        }
    }

    /// The worker's counters.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    fn renew(&self, generation: u64) {
        let old = Rc::clone(&self.pinned.borrow());
        let kept = |server_set: &ServerSet| {
            old.handles
                .iter()
                .find(|handle| handle.upstream.serves(server_set))
        };
        let keep_or_make = |service: &ServiceSnapshot| match kept(&service.server_set) {
            Some(handle) => Rc::clone(&handle.upstream),
            None => reach(service, &self.dial_context, &self.shard, self.id_prefix),
        };
        let pinned = Pinned::new(generation, self.shared.current(), &self.shard, keep_or_make);
        *self.pinned.borrow_mut() = Rc::new(pinned);
    }

    /// A request id that no other request of this or another worker has: 32 hexadecimal digits.
    pub(super) fn next_request_id(&self) -> HeaderValue {
        let count = self.id_counter.get();
        self.id_counter.set(count.wrapping_add(1));
        let id = [self.id_prefix, count].map(|half| half.to_be_bytes().map(hex::lower));
        HeaderValue::from_bytes(id.as_flattened().as_flattened())
            .expect("hexadecimal digits are visible ASCII")
    }
}

impl Pinned {
    fn new(
        generation: u64,
        snapshot: Arc<Snapshot>,
        shard: &Shard,
        upstream: impl Fn(&ServiceSnapshot) -> Rc<Upstream>,
    ) -> Self {
        let handles = snapshot.services.iter().map(|service| {
            let rules: Vec<&str> = service
                .policy
                .rules()
                .iter()
                .map(|rule| &*rule.name)
                .collect();
            ServiceHandle {
                upstream: upstream(service),
                metrics: shard.service(&service.name, &rules),
            }
        });
        let handles = handles.collect();
        Self {
            generation,
            handles,
            unrouted: shard.unrouted(),
            portal: shard.portal(),
            verified: VerifiedTokens::default(),
            snapshot,
        }
    }
}

/// A worker's upstream for a service, without a connection yet. `chance` selects the first server.
fn reach(
    service: &ServiceSnapshot,
    dial_context: &Rc<DialContext>,
    shard: &Shard,
    chance: u64,
) -> Rc<Upstream> {
    Upstream::new(
        &service.server_set,
        dial_context,
        chance as usize,
        |server| shard.server(&service.name, server),
    )
}
