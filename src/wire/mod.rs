//! HTTP as data, without sockets: what a request says, and what may pass on.

mod bad_request;
mod credential;
mod destination;
mod fields;
mod forwarded;
mod framing;
mod host;
mod identity;
mod intake;
mod peer;
mod problem;

pub use bad_request::BadRequest;
pub use credential::Credential;
pub use destination::{Destination, NoDestination, OwnPaths};
pub use fields::{CONNECTION_FIELDS, FieldFilter, keep_alive_timeout, remove_hop_by_hop, via};
pub(crate) use fields::{Nominated, move_fields};
pub use forwarded::{ClientAddress, SaidByProxy, TrustedProxies};
pub use framing::{ResponseFraming, settle_response};
pub use host::Host;
pub use identity::{Authorization, IdentityField, IdentityHeader, IdentitySettings};
pub use intake::{Intake, Target};
pub use peer::{Peer, Scheme};
pub use problem::{BEARER_CHALLENGE, forbid_storing, invalid_token, json, not_authenticated, problem};
