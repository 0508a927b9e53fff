//! What is computed about policies and simulated requests, for the command line, the lints and the admin API.
//!
//! No I/O and no clock. Every statement about a single request comes from [`crate::access::Policy::decide`]; nothing
//! here takes part in the decision on a real one.

pub mod diff;
mod explain;
pub mod openapi;
mod shadow;
pub mod simulation;
mod spelling;
mod table;
mod unused_names;
mod view;
mod words;

pub use explain::{ConditionReport, Explanation, PrecedenceLoss, RuleReport, explain};
pub use shadow::{Shadow, enclosing_rule, has_rules_below, shadow};
pub use table::{AccessRow, AudienceAccess, CallerAudience, audiences, row, rows};
pub use view::{ConfigurationView, ServicePolicyView};
pub use words::{condition_in_words, in_words, methods_in_words};
