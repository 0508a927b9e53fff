//! Tokens: keys, issuing and verifying. Time is always an argument.

mod key;

pub use key::{Key, KeyError};
