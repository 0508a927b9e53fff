//! The pure decision core: who may send which request.
//!
//! Nothing here knows sockets, clocks, logs or files; the only types from outside are `std`'s,
//! [`http::Method`] and [`ipnet::IpNet`]. [`Policy::decide`] is total: every request gets an answer.

mod authentication;
mod caller;
mod case;
mod client_address;
mod decision;
mod host;
mod identity;
mod judge;
mod mount;
mod path;
mod pattern;
mod pattern_node;
mod pattern_trie;
mod policy;
mod requested_paths;
mod requirement;
mod router;
mod rule;
mod subject;

pub use authentication::{Authentication, AuthenticationDemand, ShortDuration};
pub use caller::Caller;
pub use case::CaseRule;
pub use client_address::ClientAddress;
pub use decision::{
    Challenge, ChallengeReason, Decision, Forbid, ForbidReason, MissingRoles, Permit, PolicyDenial,
};
pub use host::{HostError, HostPattern};
pub use identity::{Claim, ClaimValue, Identity, Subjects};
pub(crate) use judge::EvaluationContext;
pub use judge::lies_in;
pub use mount::Mount;
pub use path::{PathError, PathOptions, RequestPath};
pub use pattern::{Pattern, PatternError, Segment};
pub(crate) use pattern_node::PatternNode;
pub use policy::{Policy, Tie};
pub use requested_paths::{DecidedPath, RequestedPaths};
pub use requirement::{ClaimMatch, Condition, Expected, Requirement, RoleMatch, UserMatch};
pub use router::{NoDestination, Overlap, PathReading, RoutedService, Router, ServicePath};
pub use rule::{Methods, Mode, Rule, RuleId};
pub use subject::AccessSubject;
