//! What the configuration says about a connection, from its accept to its end.

use hyper::server::conn::http1;

use crate::config::{Server, ServerLimits, ServerTimeouts};
use crate::gateway::{Snapshot, TrustGeneration};

/// The most that is read ahead of what is passed on, in bytes, unless heads may be larger.
const READ_AHEAD: usize = 64 * 1024;

/// How much is read at once where memory is scarce, in bytes. One less than the power of two: hyper takes a full buffer for a
/// reason to double the next one.
const FRUGAL_PIECE: usize = 16 * 1024 - 1;

/// How many fields hyper takes by itself.
const HYPER_HEADERS: usize = 100;

/// What holds for a connection until it ends. Connections that were accepted under the same settings share it.
pub(super) struct Terms {
    pub(super) timeouts: ServerTimeouts,
    limits: ServerLimits,
    preserve_header_case: bool,
    /// Which settings identify the client.
    pub(super) trust: TrustGeneration,
    /// How requests of HTTP/1.1 are read.
    pub(super) http1: http1::Builder,
    /// The most that is read at once, in bytes.
    pub(super) piece: usize,
}

impl Terms {
    pub(super) fn new(server: &Server, trust: TrustGeneration, frugal: bool) -> Self {
        Self {
            timeouts: server.timeouts,
            limits: server.limits,
            preserve_header_case: server.preserve_header_case,
            trust,
            http1: http1_builder(server),
            piece: if frugal { FRUGAL_PIECE } else { usize::MAX },
        }
    }

    /// Whether a new connection has the same ones.
    pub(super) fn are_those_of(&self, snapshot: &Snapshot) -> bool {
        let server = snapshot.server();
        self.timeouts == server.timeouts
            && self.limits == server.limits
            && self.preserve_header_case == server.preserve_header_case
            && self.trust == snapshot.trust()
    }
}

fn http1_builder(server: &Server) -> http1::Builder {
    let limits = &server.limits;
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(server.preserve_header_case)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(READ_AHEAD));
    // told of any limit, hyper fills a list of so many places for each head
    if limits.headers != HYPER_HEADERS {
        builder.max_headers(limits.headers);
    }
    builder
}
