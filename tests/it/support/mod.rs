//! What every test starts from: a gateway, an upstream made of a closure, and a client that shows each byte.
#![allow(unused_imports, dead_code, reason = "a tool box; not every tool is in use at every time")]

mod client;
mod gateway;
mod raw;
mod upstream;

pub use client::{Answer, Connection, get, send};
pub use gateway::{Gateway, GatewayBuilder, PASSWORD, gateway, hash};
pub use raw::RawUpstream;
pub use upstream::{Received, Upstream, ok};
