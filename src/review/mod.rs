//! Rules looked at as a whole, without a request: who can do what, and what changes between two configurations.
//!
//! Pure like [`crate::access`], and never an opinion of its own about a request: whatever is claimed here about one was
//! asked of [`crate::access::Policy::decide`].

pub mod diff;
mod fresh;
pub mod openapi;
mod side;
mod table;
mod words;

pub use side::{OwnPaths, Side, SideService};
pub use table::{Access, Audience, Row, audiences, row, rows};
pub use words::{condition_in_words, in_words, methods_in_words};
