//! What a valid configuration says, ready to use.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::access::{HostPattern, Mount, PathOptions, Policy, Router};
use crate::pages::Look;
use crate::token::Key;
use crate::users::Directory;
use crate::{upstream, wire};

/// Everything that one load of both files says.
#[derive(Debug)]
pub struct Config {
    /// Where and how clients are served.
    pub server: Server,
    /// The admin listener; `None` where it is off. Default 127.0.0.1:9900.
    pub admin: Option<SocketAddr>,
    /// What is logged.
    pub log: Log,
    /// The gateway's own endpoints and tokens.
    pub auth: Auth,
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
    pub listen: Vec<SocketAddr>,
    /// Whose `X-Forwarded-*` are believed; default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads; default one per core, at least 1.
    pub workers: usize,
    /// Deadlines towards clients.
    pub timeouts: ServerTimeouts,
    /// Limits on what clients send.
    pub limits: ServerLimits,
}

/// Deadlines towards clients.
#[derive(Clone, Copy, Debug)]
pub struct ServerTimeouts {
    /// From accept, or the first byte of a further request, to the end of its head; default 10 s.
    pub header: Duration,
    /// Between two pieces of a body; default 60 s.
    pub body: Duration,
    /// How long an idle connection is kept; default 75 s.
    pub idle: Duration,
    /// From SIGTERM to the end of accepting; default 0 s.
    pub drain_delay: Duration,
    /// How long running requests may take after that; default 30 s.
    pub drain: Duration,
}

/// Limits on what clients send.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Bytes of a request head; default 32 KiB.
    pub header_bytes: usize,
    /// Number of header fields; default 100.
    pub headers: usize,
    /// Bytes of a request body; default unlimited.
    pub body: Option<NonZeroU64>,
    /// Open client connections; default 20000.
    pub connections: usize,
}

/// The `log` block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least severe event that is logged; default info.
    pub level: tracing::Level,
    /// Whether each request gets a line; default true.
    pub access: bool,
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

/// The `auth` block.
#[derive(Debug)]
pub struct Auth {
    /// The prefix of the gateway's own endpoints, without a trailing slash; default `/auth`.
    pub path: String,
    /// Further exact paths that answer like `POST {path}/login`.
    pub token_paths: Vec<String>,
    /// How tokens are made and checked.
    pub token: Token,
    /// The sessions of browsers.
    pub session: Session,
    /// The pages that people see; `None` where nobody signs in with a browser. Default: the built-in ones.
    pub look: Option<Look>,
    /// How proxies describe the requests they ask about; default: in either way, and not in both.
    pub verify: wire::Describes,
}

/// The `auth.session` block.
#[derive(Clone, Debug)]
pub struct Session {
    /// The cookie; default `gatelatch`, SameSite=Lax, for TLS where the client came over TLS.
    pub cookie: wire::SessionCookie,
    /// How long after the sign-in a session ends, however busy it is; default 12 h.
    pub max_age: Duration,
}

/// The `auth.token` block.
#[derive(Clone, Debug)]
pub struct Token {
    /// The key that signs and verifies.
    pub key: Key,
    /// `iss`; default `gatelatch`.
    pub issuer: String,
    /// `aud`; default `gatelatch`.
    pub audience: String,
    /// How long a new token is valid; default 30 min.
    pub access_ttl: Duration,
    /// How far clocks may differ; default 30 s.
    pub leeway: Duration,
    /// The longest life of any token that is accepted; default 24 h.
    pub max_lifetime: Duration,
    /// The claim that new tokens carry the roles in; default `roles`.
    pub roles_claim: String,
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
    /// Where requests go.
    pub upstream: upstream::Settings,
    /// What the upstream is told about the caller.
    pub identity: wire::IdentitySettings,
    /// Which pages of other origins may call; default: the upstream says.
    pub cors: Option<wire::Cors>,
    /// What is added to answers and taken out of them; default nothing.
    pub response_fields: wire::ResponseFields,
    /// Bytes of a request body; the smaller of this and the server's limit counts. Already merged.
    pub body_limit: Option<NonZeroU64>,
    /// Whether people without a credential are sent to the sign-in page; default true.
    pub login_redirect: bool,
    /// `openapi.path`: where clients find the service's OpenAPI document, to which the gateway adds what the rules ask;
    /// default: it adds nothing to anything.
    pub document: Option<String>,
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
