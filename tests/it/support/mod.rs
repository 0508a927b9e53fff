//! What every test starts from: a gateway, an upstream made of a closure, and a client that shows each byte.

mod client;
mod gateway;
mod raw;
mod upstream;

pub use client::{Answer, Connection, get, send};
pub use gateway::{Gateway, GatewayBuilder, PASSWORD, gateway, hash};
pub use raw::RawUpstream;
pub use upstream::{Received, Upstream, ok};
