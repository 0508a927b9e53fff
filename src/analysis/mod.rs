//! What is computed about policies and simulated requests, for the command line, the lints and the admin API.
//!
//! No I/O and no clock. Every statement about a single request comes from [`crate::access::Policy::decide`]; nothing here
//! takes part in the decision on a real one.

pub mod diff;
mod explain;
mod fresh;
pub mod openapi;
mod shadow;
mod side;
pub mod simulation;
mod table;
mod words;

pub use explain::{ConditionReport, Explanation, Loss, RuleReport, explain};
pub use shadow::{Shadow, enclosing_rule, has_rules_below, shadow};
pub use side::{OwnPaths, Side, SideService};
pub use table::{Access, Audience, Row, audiences, row, rows};
pub use words::{condition_in_words, in_words, methods_in_words};
