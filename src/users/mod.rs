//! The user list: who exists, which roles they have today, and how their password is checked.

mod directory;
mod password;

pub use directory::{Directory, User};
pub use password::{HashError, PasswordHash};
