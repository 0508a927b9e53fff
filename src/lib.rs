//! Gatelatch: a standalone authentication gateway.
//!
//! The parts, from the ground up; an import points down, or sideways inside its own folder.

pub mod access;
pub mod ambient;
pub mod cli;
pub mod config;
pub mod token;
pub mod upstream;
pub mod users;
pub mod wire;
