//! The commands, one file each.

pub mod check;
pub mod init;
mod request;

pub use request::load_request;
