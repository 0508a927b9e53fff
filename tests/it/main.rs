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
mod commands;
mod demo;
mod fastapi;
mod proxy;
