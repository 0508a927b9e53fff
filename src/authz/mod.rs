//! Authentication and authorization of requests: [`access`] decides, [`identify`] makes the callers that it decides for.
//!
//! They share this module so that the compiler keeps the seal of [`access::Caller`]: its constructor is visible here
//! only. Everybody else names them as `crate::access` and `crate::identify`.

pub mod access;
pub mod identify;
