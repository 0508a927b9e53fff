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
mod bodies;
mod chromium;
mod commands;
mod connections;
mod cookies;
mod demo;
mod docs;
mod drain;
mod fastapi;
mod framing;
mod identity_headers;
mod limits;
mod login_page;
mod logins;
mod logs;
mod malformed;
mod proxy;
mod reload;
mod tokens;
mod upstream_failures;
mod verify;
mod watch;
