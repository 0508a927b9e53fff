//! What a valid configuration says, ready to use.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::admin_hosts::AdminHosts;
use super::admin_token::AdminToken;
use super::proxy_protocol::ProxyProtocol;
use super::server_tls::ServerTls;
use crate::access::{HostPattern, Mode, Mount, PathOptions, Policy, Router};
use crate::analysis::simulation::Simulation;
use crate::factors::SecondFactorPolicy;
use crate::jwks::KeyLocation;
use crate::ldap::LdapSettings;
use crate::oidc::ProviderSettings;
use crate::pages::Theme;
use crate::rates::ServiceRates;
use crate::session::{AttemptLimits, StateSettings};
use crate::telemetry::audit::AuditSink;
use crate::telemetry::traces::TraceSettings;
use crate::token::{
    ClaimPath, IssuerKeys, Key, KeySet, RemoteKeys, TrustSettings, TrustedIssuer, TrustedIssuers,
    VerifierSettings, VerifyingKey,
};
use crate::users::{Directory, RegisteredClient};
use crate::webauthn::PasskeySettings;
use crate::wire::{AcceptedCredentials, CacheMode, ForwardedFields, Host, OwnPaths};
use crate::{upstream, wire};

/// Everything that one load of both files says.
#[derive(Debug)]
pub struct Config {
    /// Where and how clients are served.
    pub server: Server,
    /// The admin listener; `None` where it is off. Default 127.0.0.1:9900.
    pub admin: Option<SocketAddr>,
    /// What admin requests must show that change something, or see more than probes and scrapers do; default: nothing,
    /// and then none of them changes anything.
    pub admin_token: Option<AdminToken>,
    /// By which names the admin listener may be called.
    pub admin_hosts: AdminHosts,
    /// What is logged.
    pub log: Log,
    /// Which requests are traced, and where to; default none.
    pub tracing: Option<TraceSettings>,
    /// The gateway's own endpoints and tokens.
    pub auth: Auth,
    /// Where sessions and failed logins are kept; default memory.
    pub state: StateSettings,
    /// Where `state` stands; `None` where it is not given.
    pub state_origin: Option<Origin>,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
    /// Finds a service by host and path; its indices are those of `services`.
    pub router: Router,
    /// The user list.
    pub directory: Directory,
}

/// The `server` block.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where to listen; never empty. Default 0.0.0.0:8080.
    pub listen: Vec<Listen>,
    /// TLS on every TCP listener; default: none. Unix sockets are always in the clear.
    pub tls: Option<ServerTls>,
    /// Whose `X-Forwarded-*` are believed; default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Which of their fields count; default [`ForwardedFields::Auto`].
    pub forwarded: ForwardedFields,
    /// Set where connections of trusted proxies begin with a PROXY header; default: they do not.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whether names of fields keep their spelling both ways; default: they are sent in lower case.
    pub preserve_header_case: bool,
    /// Worker threads; default one per core, at least 1.
    pub workers: usize,
    /// Deadlines towards clients.
    pub timeouts: ServerTimeouts,
    /// Limits on what clients send.
    pub limits: ServerLimits,
}

/// A place to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system, `unix:PATH`. Its peers count as 127.0.0.1.
    Unix(PathBuf),
    /// All sockets that the service manager hands over, `systemd`.
    Systemd,
}

/// As it is written in the file.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd => f.write_str("systemd"),
        }
    }
}

/// Deadlines towards clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTimeouts {
    /// For what comes before HTTP: a PROXY header, the TLS handshake, the preface of HTTP/2; default 10 s.
    pub handshake: Duration,
    /// From accept, or the first byte of a further request, to the end of its head; default 10 s.
    pub header: Duration,
    /// Between two pieces of a body; default 60 s.
    pub body: Duration,
    /// How long an idle connection is kept; default 75 s.
    pub idle: Duration,
    /// How long an upgraded connection may be silent in both directions; default 1 h.
    pub tunnel: Duration,
    /// From SIGTERM to the end of accepting; default 0 s.
    pub drain_delay: Duration,
    /// How long running requests may take after that; default 30 s.
    pub drain: Duration,
}

/// Limits on what clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Bytes of a request head; default 32 KiB.
    pub header_bytes: usize,
    /// Number of header fields; default 100.
    pub headers: usize,
    /// Bytes of a request body; default unlimited.
    pub body: Option<NonZeroU64>,
    /// Open client connections; `None`, the default: 20000, or fewer where memory or descriptors are scarce.
    pub connections: Option<NonZeroUsize>,
    /// Requests that one HTTP/2 connection may have running; default 100.
    pub streams: usize,
}

/// The `log` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least severe event that is logged; default info.
    pub level: tracing::Level,
    /// Whether each request gets a line; default true.
    pub access: bool,
    /// Where records for auditors go; default nowhere.
    pub audit: Option<AuditSink>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// `key=value` text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether people of the user list may change their own password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangePassword {
    /// They may not. The default.
    #[default]
    Off,
    /// They may, unless there are replicas.
    On,
    /// They may: replicas, if there are any, read one users file.
    Shared,
}

/// The `auth` block.
#[derive(Debug)]
pub struct Auth {
    /// The prefix of the gateway's own endpoints, without a trailing slash; default `/auth`.
    pub path: String,
    /// Further exact paths that answer like `POST {path}/login`.
    pub token_paths: Vec<String>,
    /// How tokens are made and checked.
    pub token: Token,
    /// How many failed logins are too many.
    pub attempts: AttemptLimits,
    /// Whether people of the user list may change their own password; default no.
    pub change_password: ChangePassword,
    /// `login.second_factor`.
    pub second_factor: SecondFactorPolicy,
    /// Other issuers whose tokens are accepted; default none.
    pub issuers: Vec<Issuer>,
    /// The directory whose people may sign in; default none.
    pub ldap: Option<LdapSettings>,
    /// OpenID providers that people sign in with; default none.
    pub providers: Vec<Arc<ProviderSettings>>,
    /// Where each of them stands.
    pub provider_origins: Vec<Origin>,
    /// The sessions of browsers.
    pub session: Session,
    /// Passkeys and security keys; default none.
    pub passkeys: Option<PasskeySettings>,
    /// The pages that people see; `None` where nobody signs in with a browser. Default: the built-in ones.
    pub theme: Option<Theme>,
    /// How proxies describe the requests they ask about; default: in either way, and not in both.
    pub verify: wire::ForwardAuthHeaders,
    /// Which credentials identify callers of a service that does not say; default: tokens and the session cookie.
    pub credentials: AcceptedCredentials,
    /// Which pages of other origins may call the gateway's own endpoints, on every host; default: those that the
    /// services of a host allow.
    pub cors: Option<wire::Cors>,
    /// Programs that may ask about any token; default none.
    pub clients: Vec<RegisteredClient>,
    /// What is said of services as protected resources; default nothing.
    pub resource_metadata: Option<wire::ResourceMetadata>,
}

/// The `auth.session` block.
#[derive(Clone, Debug)]
pub struct Session {
    /// The cookie; default `gatelatch`, SameSite=Lax, for TLS where the client came over TLS.
    pub cookie: wire::SessionCookie,
    /// How long after the sign-in a session ends, however busy it is; default 12 h.
    pub max_age: Duration,
}

/// One entry of `auth.trusted_issuers`.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What its tokens must say.
    pub settings: TrustSettings,
    /// Its keys.
    pub keys: KeySource,
}

/// Where the keys of another issuer are.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// In the configuration or in a file.
    Fixed(KeySet),
    /// Published there.
    Published(KeyLocation),
}

impl Config {
    /// What decides on requests.
    pub fn simulation(&self) -> Simulation<'_> {
        let local = |host: &HostPattern| host.to_string() == LOCALHOST;
        let anywhere =
            |service: &Service| service.hosts.is_empty() || service.hosts.iter().any(local);
        Simulation {
            own: self.auth.own_paths(),
            router: &self.router,
            policies: self
                .services
                .iter()
                .map(|service| &service.policy)
                .collect(),
            default_host: if self.services.iter().any(anywhere) {
                Host::parse(LOCALHOST)
            } else {
                None
            },
        }
    }
}

/// The host of a request that names none.
const LOCALHOST: &str = "localhost";

impl Auth {
    /// Which requests are the gateway's own.
    pub fn own_paths(&self) -> OwnPaths {
        OwnPaths {
            prefix: self.path.clone(),
            token_paths: self.token_paths.clone(),
            issuer_path: wire::issuer_path(&self.token.issuer).to_owned(),
            describes_resources: self.resource_metadata.is_some(),
        }
    }

    /// The other issuers, ready to verify; `remote` gives the keys of one that publishes them.
    pub fn trusted_issuers(
        &self,
        remote: impl Fn(&TrustSettings, &KeyLocation) -> Arc<RemoteKeys>,
    ) -> TrustedIssuers {
        let issuers = self.issuers.iter().map(|Issuer { settings, keys }| {
            let keys = match keys {
                KeySource::Fixed(keys) => IssuerKeys::Fixed(keys.clone()),
                KeySource::Published(location) => IssuerKeys::Remote(remote(settings, location)),
            };
            TrustedIssuer {
                settings: settings.clone(),
                keys,
            }
        });
        TrustedIssuers::new(issuers.collect())
    }
}

/// The `auth.token` block.
#[derive(Clone, Debug)]
pub struct Token {
    /// The key that signs and verifies.
    pub key: Key,
    /// Older keys that still verify; default none.
    pub previous: Vec<VerifyingKey>,
    /// Whether tokens of the key outlive this process.
    pub key_life: KeyLife,
    /// `iss`; default `gatelatch`.
    pub issuer: String,
    /// `aud`; default `gatelatch`.
    pub audience: String,
    /// How long a new token is valid; default 30 min.
    pub access_ttl: Duration,
    /// How long a refresh token is good; default 7 d.
    pub refresh_ttl: Duration,
    /// How far clocks may differ; default 30 s.
    pub leeway: Duration,
    /// The longest life of any token that is accepted; default 24 h.
    pub max_lifetime: Duration,
    /// The claim that new tokens carry the roles in; default `roles`.
    pub roles_claim: ClaimPath,
}

/// How long a signing key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLife {
    /// It is configured.
    Lasting,
    /// It was made for this process, for want of a configured one.
    Process,
}

impl Token {
    /// What the gateway's own tokens are held against.
    pub fn verifier(&self) -> VerifierSettings {
        VerifierSettings {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
        }
    }

    /// Every key that verifies, the current one first.
    pub fn keys(&self) -> KeySet {
        KeySet::new(
            std::iter::once(self.key.verifying())
                .chain(&self.previous)
                .cloned()
                .collect(),
        )
    }
}

/// One entry of `services`.
#[derive(Debug)]
pub struct Service {
    /// Its key in the file.
    pub name: String,
    /// Its hosts; empty: any.
    pub hosts: Vec<HostPattern>,
    /// Its mount; default `/`.
    pub mount: Mount,
    /// Whether the mount is taken off before forwarding; default false.
    pub strip_path: bool,
    /// What its paths may hold beyond the strict default.
    pub paths: PathOptions,
    /// Its rules.
    pub policy: Policy,
    /// Where each rule stands, by rule id.
    pub origins: Vec<Origin>,
    /// How many requests callers may send; default any number.
    pub rates: ServiceRates,
    /// Whether denials are carried out where no rule covers the request; each rule has a mode of its own, which is this
    /// one unless it says otherwise. Default enforce.
    pub mode: Mode,
    /// Where requests go.
    pub upstream: upstream::Settings,
    /// Where each server of `upstream` stands.
    pub servers: Vec<Origin>,
    /// What the upstream is told about the caller.
    pub identity: wire::IdentitySettings,
    /// Which pages of other origins may call; default: the upstream says.
    pub cors: Option<wire::Cors>,
    /// What is added to answers and taken out of them; default nothing.
    pub response_fields: wire::ResponseFields,
    /// Bytes of a request body; the smaller of this and the server's limit counts. Already merged.
    pub body_limit: Option<NonZeroU64>,
    /// Whether `Location` and `Content-Location` of its answers are written as the client sees them; default true.
    pub rewrite_location: bool,
    /// What becomes of `Cache-Control` in answers to one caller.
    pub cache: CacheMode,
    /// Which credentials identify its callers; default: as `auth.credentials` says, which is tokens and the session cookie.
    pub credentials: AcceptedCredentials,
    /// Whether people without a credential are sent to the sign-in page; default true.
    pub login_redirect: bool,
    /// `openapi.path`: where clients find the service's OpenAPI document, to which the gateway adds what the rules ask;
    /// default: it adds nothing to anything.
    pub document: Option<String>,
}

/// What operators are shown of a service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceView<'a> {
    /// Its key in the file.
    pub name: &'a str,
    /// Its hosts; empty: any.
    pub hosts: &'a [HostPattern],
    /// Its mount.
    pub mount: &'a Mount,
    /// Whether denials are carried out where no rule covers the request.
    pub mode: Mode,
    /// Its rules.
    pub policy: &'a Policy,
    /// Where each rule stands, by rule id.
    pub origins: &'a [Origin],
    /// How many requests callers may send.
    pub rates: &'a ServiceRates,
}

/// A place in a file, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// As given by the operator.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}
