//! The state of upstream servers.

/// Gives the state of the servers of all upstreams; it must not block.
pub type ServerLevels = Box<dyn Fn() -> Vec<ServerLevel> + Send + Sync>;

/// The state of one upstream server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerLevel {
    /// Its service.
    pub service: Box<str>,
    /// Its name in logs.
    pub server: Box<str>,
    /// `up`, `failing`, `resting` or `down`.
    pub state: &'static str,
    /// What it gets of its share of the requests: 0 while it is out, less than 1 while it returns.
    pub share: f64,
    /// Failed TLS handshakes so far, by kind.
    pub tls_failures: Box<[(&'static str, u64)]>,
}
