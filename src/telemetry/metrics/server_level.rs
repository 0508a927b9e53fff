//! How the servers of upstreams are.

/// Says how the servers of all upstreams are; it must not block.
pub type ServerLevels = Box<dyn Fn() -> Vec<ServerLevel> + Send + Sync>;

/// How one server of an upstream is.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerLevel {
    /// Its service.
    pub service: Box<str>,
    /// As it is called in logs.
    pub server: Box<str>,
    /// `up`, `resting` or `down`.
    pub state: &'static str,
    /// What it gets of its share of the requests: 0 while it is out, less than 1 while it returns.
    pub share: f64,
}
