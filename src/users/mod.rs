//! The user list: who exists, which roles they have today, and how their password is checked.

mod directory;
mod hasher;
mod login;
mod password;

pub use directory::{Directory, User};
pub use hasher::{Busy, Hasher, HasherSettings};
pub use login::{LoginFailure, authenticate};
pub use password::{HashError, Password, PasswordHash};
