//! The gateway as clients, upstreams and operators meet it: the real binary, real sockets, real files.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test ends where something is missing"
)]

mod support;

mod access;
mod bodies;
mod connections;
mod framing;
mod identity_headers;
mod limits;
mod malformed;
mod proxy;
mod upstream_failures;
