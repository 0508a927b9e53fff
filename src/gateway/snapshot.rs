//! Everything a request is decided with, immutable. A reload replaces it as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderValue;
use tokio::sync::watch;

use crate::access::{PathOptions, Policy, Router};
use crate::config::{self, Config};
use crate::portal::{Portal, PortalSettings};
use crate::token::{Issuer, IssuerSettings, SessionSettings, Sessions, Verifier, VerifierSettings};
use crate::upstream::Forwarding;
use crate::users::{Directory, Hasher};
use crate::wire::{Describes, FieldFilter, SessionCookie, TrustedProxies};

/// One load of the configuration, ready for requests.
pub struct Snapshot {
    pub(super) services: Vec<Service>,
    pub(super) router: Router,
    /// The most that any service accepts in a path: what is parsed before the service is known.
    pub(super) widest_paths: PathOptions,
    pub(super) trusted: TrustedProxies,
    pub(super) verifier: Verifier,
    pub(super) sessions: Arc<Sessions>,
    pub(super) cookie: Arc<SessionCookie>,
    pub(super) describes: Describes,
    pub(super) directory: Arc<Directory>,
    pub(super) portal: Portal,
    pub(super) access_log: bool,
    server: config::Server,
}

/// One service, ready for requests.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) policy: Policy,
    pub(super) paths: PathOptions,
    pub(super) forwarding: Forwarding,
    pub(super) upstream_name: String,
    /// Whether people are sent to the sign-in page.
    pub(super) login_redirect: bool,
    /// Where its OpenAPI document is, in the one spelling of a path.
    pub(super) document: Option<String>,
}

impl Snapshot {
    /// Makes one load of the configuration ready. `hasher` checks the passwords of all loads.
    pub fn new(config: Config, hasher: Hasher) -> Self {
        let directory = Arc::new(config.directory);
        let token = config.auth.token;
        let verifier = VerifierSettings {
            issuer: token.issuer.clone(),
            audience: token.audience.clone(),
            leeway: token.leeway,
            max_lifetime: token.max_lifetime,
        };
        let sessions = SessionSettings {
            issuer: token.issuer.clone(),
            ttl: token.access_ttl,
            max_age: config.auth.session.max_age,
            leeway: token.leeway,
        };
        let sessions = Arc::new(Sessions::new(token.key.clone(), sessions));
        let cookie = Arc::new(config.auth.session.cookie);
        let issuer = IssuerSettings {
            issuer: token.issuer,
            audience: token.audience,
            access_ttl: token.access_ttl,
            roles_claim: token.roles_claim,
        };
        let issuer = Issuer::new(token.key.clone(), issuer);
        let portal = PortalSettings {
            prefix: config.auth.path,
            token_paths: config.auth.token_paths,
            look: config.auth.look.map(Arc::new),
            cookie: Arc::clone(&cookie),
        };
        let body_timeout = config.server.timeouts.body;
        let widest = config.services.iter().fold(PathOptions::default(), |all, service| all.union(service.paths));
        Self {
            services: config.services.into_iter().map(|service| Service::new(service, body_timeout)).collect(),
            router: config.router,
            widest_paths: widest,
            trusted: TrustedProxies::new(config.server.trusted_proxies.clone()),
            verifier: Verifier::new(token.key, verifier),
            portal: Portal::new(portal, Arc::clone(&directory), issuer, Arc::clone(&sessions), hasher),
            sessions,
            cookie,
            describes: config.auth.verify,
            directory,
            access_log: config.log.access,
            server: config.server,
        }
    }

    /// Deadlines and limits towards clients.
    pub fn server(&self) -> &config::Server {
        &self.server
    }
}

impl Service {
    fn new(service: config::Service, body_timeout: std::time::Duration) -> Self {
        let upstream_name = service.upstream.origin.to_string();
        let upstream_host = HeaderValue::from_str(&upstream_name).expect("a parsed origin is visible ASCII");
        let forwarding = Forwarding {
            upstream: service.upstream,
            upstream_host,
            filter: Arc::new(FieldFilter::new(&service.identity)),
            identity: service.identity,
            strip: service.strip_path.then_some(service.mount),
            case: service.policy.case(),
            paths: service.paths,
            body_limit: service.body_limit,
            body_timeout,
        };
        Self {
            name: service.name,
            policy: service.policy,
            paths: service.paths,
            forwarding,
            upstream_name,
            login_redirect: service.login_redirect,
            document: service.document,
        }
    }
}

/// The snapshot in force, shared by all workers. A worker looks at the generation once a request and takes the lock only
/// when it has changed.
pub struct Shared {
    current: RwLock<Arc<Snapshot>>,
    generation: AtomicU64,
    changes: watch::Sender<()>,
}

impl Shared {
    /// Puts the first snapshot in force.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            current: RwLock::new(Arc::new(snapshot)),
            generation: AtomicU64::new(0),
            changes: watch::Sender::new(()),
        }
    }

    /// Puts another snapshot in force, for every request that starts from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        // nothing can panic while the lock is held, so a poisoned one is sound
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        self.generation.fetch_add(1, Ordering::Release);
        self.changes.send_replace(());
    }

    /// Hears of each further snapshot that is put in force.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The snapshot in force now.
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}
