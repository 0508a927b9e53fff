//! The user list: who exists, which roles they have today, and how their password is checked.

mod api_key;
mod argon;
mod client;
mod directory;
mod hash_error;
mod hash_kind;
mod hasher;
mod login;
mod new_password;
mod password;
mod user;
mod user_name;
mod work;

pub use api_key::{API_KEY_PREFIX, ApiKey, KeyDigest, KeyRefusal, NEVER, api_key};
pub use client::RegisteredClient;
pub use directory::{Directory, Enrolment};
pub use hash_error::{ForeignHash, HashError};
pub use hasher::{Busy, Hasher, HasherSettings};
pub use login::{LoginFailure, authenticate};
pub use new_password::{
    NewPasswordFlaw, NewPasswordHash, PasswordChangeError, PasswordChanges, PasswordOrder,
    SHORTEST_PASSWORD,
};
pub use password::{Password, PasswordHash};
pub use user::{User, UserExtras, UserRefusal};
pub use user_name::is_user_name;
pub use work::Work;
