//! Everything a request is decided with, immutable. A reload replaces it as a whole.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::HeaderMap;
use http::header::COOKIE;
use tokio::sync::watch;

use super::own_cors::OwnCors;
use super::process_state::ProcessState;
use super::trust_generation::TrustGeneration;
use super::vouching::VouchingProvider;
use crate::access::{HostPattern, Mount, Policy, Router};
use crate::config::{self, ChangePassword, Config, ServiceView};
use crate::identify::SessionProvider;
use crate::identify::VerifiedPasswords;
use crate::jwks::KeySources;
use crate::ldap::LdapDirectory;
use crate::oidc::Provider;
use crate::portal::{OwnPasswords, Portal, PortalSettings};
use crate::rates::{RateTable, ServiceLimits, ServiceRates};
use crate::session::{StateSettings, Times};
use crate::telemetry::audit::Audit;
use crate::telemetry::traces::Tracer;
use crate::token::{CookieSessions, IssuerSettings, Sealer, TokenIssuer, TrustedIssuers, Verifier};
use crate::upstream::{Forwarding, ServerSet};
use crate::users::Directory;
use crate::wire::{
    AcceptedCredentials, BadRequest, CacheMode, Challenges, Cors, FieldFilter, ForwardAuthHeaders,
    ResponseFields, SessionCookie, TrustedProxies,
};

/// One load of the configuration, ready for requests.
pub struct Snapshot {
    pub(super) services: Vec<ServiceSnapshot>,
    pub(super) router: Router,
    pub(super) trusted: TrustedProxies,
    pub(super) verifier: Verifier,
    pub(super) trusted_issuers: TrustedIssuers,
    pub(super) browsers: Arc<CookieSessions>,
    /// The OpenID providers, as far as sessions that began with them are checked.
    pub(super) session_providers: Vec<SessionProvider>,
    /// The same, where sessions are renewed.
    pub(super) renewing: Vec<VouchingProvider>,
    /// The longest that any token may hold from now, in seconds.
    pub(super) longest_token: u64,
    providers: Vec<Arc<Provider>>,
    pub(super) cookie: Arc<SessionCookie>,
    pub(super) describes: ForwardAuthHeaders,
    pub(super) directory: Arc<Directory>,
    /// A reload forgets them.
    pub(super) passwords: VerifiedPasswords,
    pub(super) portal: Portal,
    pub(super) own_cors: OwnCors,
    pub(super) access_log: bool,
    /// `None` where nothing is traced.
    pub(super) tracer: Option<Arc<Tracer>>,
    /// `None` where it is off.
    pub(super) audit: Option<Arc<Audit>>,
    /// Which of the process' settings identify the clients of connections.
    pub(super) trust: TrustGeneration,
    issuer_keys: Arc<KeySources>,
    server: config::Server,
    warned_of_scheme: AtomicBool,
}

/// One service of a snapshot, prepared for requests.
pub(super) struct ServiceSnapshot {
    pub(super) name: String,
    pub(super) policy: Policy,
    /// `None` where callers may send any number of requests.
    pub(super) limits: Option<ServiceLimits>,
    pub(super) forwarding: Forwarding,
    pub(super) server_set: Arc<ServerSet>,
    pub(super) cors: Option<Cors>,
    pub(super) response_fields: ResponseFields,
    /// Whether the URLs that answers lead on by are written as the client sees them.
    pub(super) rewrite_location: bool,
    pub(super) cache: CacheMode,
    /// Which credentials identify its callers.
    pub(super) credentials: AcceptedCredentials,
    /// Whether people are sent to the sign-in page.
    pub(super) login_redirect: bool,
    /// Where its OpenAPI document is, in the one spelling of a path.
    pub(super) document: Option<String>,
    listing: Listing,
}

/// The description of a service for operators; no request uses it.
struct Listing {
    hosts: Vec<HostPattern>,
    mount: Mount,
    origins: Vec<config::Origin>,
    rates: ServiceRates,
}

impl Snapshot {
    /// Makes one load of the configuration ready, on top of what lasts longer than it. What is made last is what the
    /// fleet watches.
    pub fn new(config: Config, process_state: &ProcessState) -> Self {
        let issuer_keys = &process_state.issuer_keys;
        let trusted_issuers = config.auth.trusted_issuers(|settings, location| {
            issuer_keys.keys(&settings.issuer, location, &settings.algorithms)
        });
        let (providers, ldap) = identity_sources(&config.auth, process_state);
        let renewing = vouching(&providers, ldap.as_ref());
        let directory = Arc::new(config.directory);
        let describes = config.auth.verify;
        let token = &config.auth.token;
        let verifier = Verifier::new(token.keys(), token.verifier())
            .with_roles_claim(token.roles_claim.clone());
        let browsers = Arc::new(config.auth.cookie_sessions(&config.services));
        let own_cors = OwnCors::new(config.auth.cors.as_ref(), &config.services);
        let longest_token = config.server.limits.header_bytes;
        let own_passwords = own_passwords(config.auth.change_password, &config.state);
        let (portal, issuer) = portal_parts(config.auth, &config.router, &providers, longest_token);
        let portal = PortalSettings {
            own_passwords,
            keeps_factors: config.state != StateSettings::Memory,
            ..portal
        };
        let longest_token = portal.longest_token.as_secs();
        let cookie = Arc::clone(&portal.cookie);
        let body_timeout = config.server.timeouts.body;
        Self {
            services: services(config.services, process_state, body_timeout),
            router: config.router,
            trusted: trusted_proxies(&config.server),
            portal: Portal::new(
                portal,
                Arc::clone(&directory),
                issuer,
                process_state.hasher.clone(),
                process_state.sessions.clone(),
                Arc::clone(&browsers),
            )
            .with_directory(ldap)
            .with_password_changes(process_state.password_changes.clone()),
            own_cors,
            verifier,
            trusted_issuers,
            browsers,
            session_providers: renewing.iter().map(|one| one.of.clone()).collect(),
            renewing,
            longest_token,
            providers,
            cookie,
            describes,
            directory,
            passwords: VerifiedPasswords::new(),
            access_log: config.log.access,
            audit: process_state.audit.clone(),
            tracer: process_state.traces.tracer(config.tracing.as_ref()),
            trust: TrustGeneration::default(),
            issuer_keys: Arc::clone(issuer_keys),
            server: config.server,
            warned_of_scheme: AtomicBool::new(false),
        }
    }

    /// Whether services are found by the host of a request.
    pub(super) fn needs_host(&self) -> bool {
        let mut services = self.services.iter();
        services.any(|service| !service.listing.hosts.is_empty())
    }

    /// Refuses more fields than `server.limits.headers`. Cookies count as one, into however many fields a client splits
    /// them (RFC 9113, section 8.2.3).
    pub(super) fn check_number(&self, headers: &HeaderMap) -> Result<(), BadRequest> {
        let limit = self.server.limits.headers;
        let cookies = || headers.get_all(COOKIE).iter().count();
        if headers.len() > limit && headers.len() - cookies().saturating_sub(1) > limit {
            return Err(BadRequest::TooManyFields);
        }
        Ok(())
    }

    /// Warns once that a trusted proxy does not say in a readable way how its clients come.
    pub(super) fn warn_of_scheme(&self, proxy: IpAddr) {
        if !self.warned_of_scheme.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "forwarded_scheme_unreadable",
                %proxy,
                "a trusted proxy names no scheme where it should; its clients count as coming as it does itself"
            );
        }
    }

    /// The services, in the order of the file, for operators.
    pub fn services(&self) -> impl Iterator<Item = ServiceView<'_>> {
        self.services.iter().map(ServiceSnapshot::view)
    }

    /// The OpenID providers that people sign in with, in the order of the file.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The user list.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What seals as this load does, and opens what `former` has sealed; `None` where they have one key.
    pub fn sealer_after(&self, former: &Self) -> Option<Sealer> {
        let sealer = self.browsers.sealer();
        sealer.succeeding(former.browsers.sealer())
    }

    /// The times of a session that ends at this second since 1970.
    pub fn session_times(&self, now: u64) -> Times {
        self.portal.times(now)
    }

    /// Which settings identify the clients of connections that are accepted now.
    pub fn trust(&self) -> TrustGeneration {
        self.trust
    }

    /// Hears of each further change of published keys, under this snapshot and every later one.
    pub(super) fn key_changes(&self) -> watch::Receiver<()> {
        self.issuer_keys.changes()
    }

    /// Deadlines and limits towards clients.
    pub fn server(&self) -> &config::Server {
        &self.server
    }
}

fn services(
    services: Vec<config::Service>,
    process_state: &ProcessState,
    body_timeout: Duration,
) -> Vec<ServiceSnapshot> {
    let ProcessState {
        server_sets, rates, ..
    } = process_state;
    let upstreams = services.iter();
    let upstreams = upstreams.map(|service| (&*service.name, &service.upstream));
    let server_sets = server_sets.reconcile(upstreams);
    let services = services.into_iter().zip(server_sets);
    services
        .map(|(service, server_set)| ServiceSnapshot::new(service, server_set, rates, body_timeout))
        .collect()
}

fn trusted_proxies(server: &config::Server) -> TrustedProxies {
    TrustedProxies::new(server.trusted_proxies.clone(), server.forwarded)
}

/// Who else than the user list says who people are.
fn identity_sources(
    auth: &config::Auth,
    process_state: &ProcessState,
) -> (Vec<Arc<Provider>>, Option<Arc<LdapDirectory>>) {
    let ProcessState {
        providers,
        directories,
        ..
    } = process_state;
    let openid = auth.providers.iter();
    let openid = openid.map(|settings| providers.provider(Arc::clone(settings)));
    let ldap = auth.ldap.clone();
    let ldap = ldap.map(|settings| directories.directory(settings));
    (openid.collect(), ldap)
}

fn vouching(
    providers: &[Arc<Provider>],
    ldap: Option<&Arc<LdapDirectory>>,
) -> Vec<VouchingProvider> {
    let openid = providers.iter().map(VouchingProvider::openid);
    openid
        .chain(ldap.map(VouchingProvider::directory))
        .collect()
}

/// Replicas of which each has a list of its own would take turns in knowing a new password.
fn own_passwords(change: ChangePassword, state: &StateSettings) -> OwnPasswords {
    match (change, state) {
        (ChangePassword::Off, _) => OwnPasswords::Off,
        (ChangePassword::On, StateSettings::Redis(_)) => OwnPasswords::NotShared,
        (ChangePassword::On, StateSettings::Memory | StateSettings::File(_)) => OwnPasswords::On,
        (ChangePassword::Shared, _) => OwnPasswords::On,
    }
}

/// What the portal is set up with, and what issues its tokens.
fn portal_parts(
    auth: config::Auth,
    router: &Router,
    providers: &[Arc<Provider>],
    longest_token: usize,
) -> (PortalSettings, TokenIssuer) {
    let own = auth.own_paths();
    let token = auth.token;
    let portal = PortalSettings {
        own,
        jwks: format!("{}\n", token.keys().to_jwks()).into(),
        attempts: auth.attempts,
        second_factor: auth.second_factor,
        refresh_ttl: token.refresh_ttl,
        longest_token: token.max_lifetime + token.leeway,
        theme: auth.theme.map(Arc::new),
        cookie: Arc::new(auth.session.cookie),
        paths: router.widest_paths(),
        providers: providers.to_vec(),
        clients: auth.clients,
        has_public_keys: !token.key.algorithm().is_symmetric(),
        own_passwords: OwnPasswords::Off,
        keeps_factors: false,
        resource_metadata: auth.resource_metadata,
        passkeys: auth.passkeys,
    };
    let issuer = IssuerSettings {
        issuer: token.issuer,
        audience: token.audience,
        access_ttl: token.access_ttl,
        roles_claim: token.roles_claim,
        longest_token,
    };
    (portal, TokenIssuer::new(token.key, issuer))
}

impl ServiceSnapshot {
    fn new(
        service: config::Service,
        server_set: Arc<ServerSet>,
        table: &Arc<RateTable>,
        body_timeout: Duration,
    ) -> Self {
        let named = (&*service.name, &service.policy);
        let limits = ServiceLimits::new(table, named, &service.rates);
        let listing = Listing {
            hosts: service.hosts,
            mount: service.mount.clone(),
            origins: service.origins,
            rates: service.rates,
        };
        let forwarding = Forwarding {
            upstream: service.upstream,
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
            limits,
            forwarding,
            server_set,
            cors: service.cors,
            response_fields: service.response_fields,
            rewrite_location: service.rewrite_location,
            cache: service.cache,
            credentials: service.credentials,
            login_redirect: service.login_redirect,
            document: service.document,
            listing,
        }
    }

    /// What a 401 of the service asks for.
    pub(super) fn challenges(&self) -> Challenges {
        Challenges {
            basic: self.credentials.basic,
            ..Challenges::default()
        }
    }

    /// Where it is mounted.
    pub(super) fn mount(&self) -> &Mount {
        &self.listing.mount
    }

    fn view(&self) -> ServiceView<'_> {
        let Listing {
            hosts,
            mount,
            origins,
            rates,
        } = &self.listing;
        ServiceView {
            name: &self.name,
            hosts,
            mount,
            mode: self.policy.mode_of(None),
            policy: &self.policy,
            origins,
            rates,
        }
    }
}

/// The snapshot in force, shared by all workers. A worker looks at the generation once a request and takes the lock only
/// when it has changed.
pub struct CurrentSnapshot {
    current: RwLock<Arc<Snapshot>>,
    generation: AtomicU64,
    changes: watch::Sender<()>,
}

impl CurrentSnapshot {
    /// Puts the first snapshot in force.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            current: RwLock::new(Arc::new(snapshot)),
            generation: AtomicU64::new(0),
            changes: watch::Sender::new(()),
        }
    }

    /// Puts another snapshot in force, for every request that starts from now on. What it gives back is still used by
    /// the requests that started before; who drops the last share of it waits until all of it is freed.
    #[must_use]
    pub fn replace(&self, mut snapshot: Snapshot) -> Arc<Snapshot> {
        // nothing can panic while the lock is held, so a poisoned one is sound
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        snapshot.trust = current.trust.next(&current.server, &snapshot.server);
        let old = std::mem::replace(&mut *current, Arc::new(snapshot));
        drop(current);
        self.generation.fetch_add(1, Ordering::Release);
        self.changes.send_replace(());
        old
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
