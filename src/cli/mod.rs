//! The command line: one file a command, and the only place that prints.

pub mod check;
pub mod hash;
pub mod healthcheck;
pub mod init;
