//! The pure decision core: who may send which request.
//!
//! Nothing here knows sockets, clocks, logs or files; the only types from outside are `std`'s,
//! [`http::Method`] and [`ipnet::IpNet`]. [`Policy::decide`] is total: every request gets an answer.

mod caller;
mod decision;
mod explain;
mod identity;
mod path;
mod pattern;
mod policy;
mod requirement;
mod router;
mod rule;
mod tree;

pub use caller::Caller;
pub use decision::{Challenge, Decision, Forbid, ForbidReason, MissingRoles, Permit};
pub use explain::{ConditionReport, Explanation, Loss, RuleReport};
pub use identity::{Claim, ClaimValue, Identity};
pub use path::{PathError, PathOptions, RequestPath};
pub use pattern::{Pattern, PatternError};
pub use policy::{Policy, Tie};
pub use requirement::{ClaimMatch, Condition, Expected, Requirement, RoleMatch, UserMatch};
pub use router::{HostError, HostPattern, Mount, Overlap, Router};
pub use rule::{Methods, Rule, RuleId};
