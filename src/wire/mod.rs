//! HTTP as data, without sockets: what a request says, and what may pass on.

mod identity;
mod problem;

pub use identity::{Authorization, IdentityField, IdentityHeader, IdentitySettings};
pub use problem::{BEARER_CHALLENGE, forbid_storing, invalid_token, json, not_authenticated, problem};
