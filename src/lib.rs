//! Gatelatch: a standalone authentication gateway. One binary and one YAML file stand in front of services that know
//! nothing of logins, tokens and roles.
//!
//! The parts, floor by floor. An import points down, or sideways inside its own folder; a test holds it.
//!
//! | floor | parts |
//! |---|---|
//! | 9 | [`cli`]: one file a command |
//! | 8 | [`server`]: threads, sockets, signals, reload, drain |
//! | 7 | [`gateway`]: the flow of a request; [`admin`]: the operator's listener |
//! | 6 | [`portal`]: the gateway's own endpoints |
//! | 5 | [`config`]: from two YAML files to types that cannot be wrong; [`identify`]: whose credential it is |
//! | 4 | [`oidc`]: signing in with OpenID providers |
//! | 3 | [`upstream`]: the only way out for requests; [`jwks`]: the keys of other issuers; [`ldap`]: people of a directory; [`session`]: what outlives a request; [`analysis`]: policies and simulated requests, evaluated offline |
//! | 2 | [`wire`]: HTTP as data; [`token`]; [`users`]; [`telemetry`]; [`pages`]: what people see; [`rates`]: how many requests a caller may send; [`webauthn`]: passkeys and security keys |
//! | 1 | [`access`]: the pure decision core; [`ambient`]: clock and chance; [`net`]: connections to other servers; [`factors`]: one-time and recovery codes |
//! | 0 | [`text`]: notations that several parts share |

#![cfg_attr(
    test,
    allow(
        clippy::too_many_lines,
        reason = "a table of cases is as long as it is"
    )
)]

pub mod admin;
pub mod ambient;
pub mod analysis;
mod authz;
pub mod cli;
pub mod config;
pub mod factors;
pub mod gateway;
pub mod jwks;
pub mod ldap;
pub mod net;
pub mod oidc;
pub mod pages;
pub mod portal;
pub mod rates;
pub mod server;
pub mod session;
pub mod telemetry;
pub mod text;
pub mod token;
pub mod upstream;
pub mod users;
pub mod webauthn;
pub mod wire;

pub use authz::{access, identify};
