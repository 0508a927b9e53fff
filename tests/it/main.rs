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
mod admin;
mod algorithms;
mod api_keys;
mod bodies;
mod commands;
mod connections;
mod demo;
mod drain;
mod fastapi;
mod framing;
mod identity_headers;
mod limits;
mod logins;
mod logs;
mod malformed;
mod proxy;
mod reload;
mod tokens;
mod trusted_issuers;
mod upstream_failures;
mod user_commands;
mod watch;
