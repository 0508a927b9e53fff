//! The only way out: from a permit to the upstream's answer.
//!
//! [`Upstream`] chooses a server and tries again; `server` chooses a connection; `http1` and `http2` carry one exchange.
//! [`ServerSets`] keeps the state of the servers for the whole process.

mod balance;
mod body;
mod body_gate;
mod client;
mod connect;
mod error;
mod exchange;
mod health;
mod http1;
mod http2;
mod origin;
mod outbound;
mod rewrite;
mod server;
mod server_set;
mod server_sets;
mod settings;
mod single_flight;
mod spare;
mod state;
mod traced;

pub use body::{RequestBody, ResponseBody};
pub use client::{Forwarded, ServerIndex, Upstream};
pub use connect::reach;
pub use error::{AnswerFault, BodyFault, ForwardError, PrepareError};
pub use exchange::{Switched, UpstreamReply};
pub use origin::{Origin, OriginError, Speaks};
pub use outbound::{Forwarding, Outbound, RequestContext};
pub use server::{ConnectionCounts, DialContext};
pub use server_set::ServerSet;
pub use server_sets::ServerSets;
pub use settings::{Balance, Health, HostHeader, Settings, Timeouts};
pub use state::{ServerLoad, ServerState};
