//! HTTP as data, without sockets: what a request says, and what may pass on.

mod identity;

pub use identity::{Authorization, IdentityField, IdentityHeader, IdentitySettings};
