//! What every test starts from: a gateway, an upstream made of a closure, and a client that shows each byte.
#![allow(
    unused_imports,
    dead_code,
    reason = "a tool box; not every tool is in use at every time"
)]

mod awkward;
mod black_hole;
mod browser;
mod certs;
pub mod checks;
mod client;
mod collector;
pub mod commands;
mod curl;
pub mod frames;
mod gateway;
pub mod image;
pub mod manifests;
mod modern;
mod oathtool;
mod openid;
mod programs;
mod raw;
mod redis;
mod scripted_provider;
mod sessions;
mod slapd;
mod stoppable;
mod tls;
mod upstream;

pub use awkward::{gushing, slow};
pub use black_hole::BlackHole;
pub use browser::{NAVIGATION, cookie_of, sign_in, submit};
pub use certs::{Authority, Certified};
pub use client::{Answer, Connection, get, send};
pub use collector::{Collector, Exported};
pub use curl::{Curled, curl};
pub use frames::FrameConnection;
pub use gateway::{Gateway, GatewayBuilder, PASSWORD, SECRET, Streams, gateway, hash};
pub use modern::{Modern, Seen, TestBody, Tongue, in_pieces, said};
pub use oathtool::{Oathtool, oathtool};
pub use openid::OpenIdProvider;
pub use programs::{
    node, openid_packages, optimised_gateway, output, program, python, skip, superuser,
};
pub use raw::RawUpstream;
pub use redis::{Redis, free_port, on_a_port};
pub use scripted_provider::{Script, ScriptedProvider, ScriptedSigner, json_answer, provider_key};
pub use sessions::{Tokens, log_in_from, log_out, post, refresh, refresh_at, tokens};
pub use slapd::{LDAP_PASSWORD, SERVICE_DN, SERVICE_PASSWORD, Slapd};
pub use stoppable::Stoppable;
pub use tls::{Shaken, TlsClient};
pub use upstream::{Received, Upstream, ok};

/// Asks again every few milliseconds until it is so: for what the gateway shows and announces to nobody.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < std::time::Duration::from_secs(60),
            "it never came to: {what}"
        );
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}
