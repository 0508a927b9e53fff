//! The `upstream` block of a service.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;

use super::origin::Origin;
use crate::net::TlsSettings;

/// The `upstream` block of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The servers to forward to: at least one, and none twice.
    pub servers: Vec<Origin>,
    /// Which of several servers gets a request; default round robin.
    pub balance: Balance,
    /// How the servers are checked; `None`: not by requests of the gateway's own.
    pub health: Option<Health>,
    /// How long its steps may take.
    pub timeouts: Timeouts,
    /// How often a request that cannot have had an effect is tried again; default 1.
    pub retries: u32,
    /// Which `Host` the upstream sees.
    pub host: HostHeader,
    /// How `https` servers are met; `None` exactly where there is no such server.
    pub tls: Option<Arc<TlsSettings>>,
    /// Whether names of fields keep their spelling over HTTP/1.1; default: they are sent in lower case.
    pub preserve_header_case: bool,
}

/// Which of several servers gets a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// One after the other, for each worker.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way, over all workers.
    LeastConnections,
    /// Always the same one for a client's address, for as long as it is there (rendezvous hashing).
    HashClient,
}

/// The `health` block: a GET that each server gets again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The requested path; a status of 200 to 399 is healthy.
    pub path: PathAndQuery,
    /// From one check to the next; default 10 s.
    pub interval: Duration,
    /// How long a check may take, connection included; default 2 s.
    pub timeout: Duration,
    /// Checks in a row that must fail before a server is out; default 3.
    pub unhealthy_after: u32,
    /// Checks in a row that must succeed before it is back; default 2.
    pub healthy_after: u32,
}

/// How long the steps towards an upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the decision to an established connection, TLS included; default 2 s.
    pub connect: Duration,
    /// From the end of the request to the head of the answer; default 60 s.
    pub response: Duration,
    /// Between two pieces of an answer's body; default 1 h, for streams of events may be silent for long.
    pub stream: Duration,
    /// How long an unused connection is kept; default 90 s.
    pub idle: Duration,
}

/// Which `Host` the upstream sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The client's.
    #[default]
    Preserve,
    /// The upstream's own host and port.
    Upstream,
}

impl Settings {
    /// One server and every default.
    pub fn of(server: Origin) -> Self {
        Self {
            servers: vec![server],
            balance: Balance::default(),
            health: None,
            timeouts: Timeouts::default(),
            retries: 1,
            host: HostHeader::default(),
            tls: None,
            preserve_header_case: false,
        }
    }
}

impl Health {
    /// Every default, for a path.
    pub fn of(path: PathAndQuery) -> Self {
        Self {
            path,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            response: Duration::from_secs(60),
            stream: Duration::from_secs(3600),
            idle: Duration::from_secs(90),
        }
    }
}
