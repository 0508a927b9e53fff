//! The only way out: from a permit to the upstream's answer.
//!
//! [`Upstream`] chooses a server and tries again; `server` chooses a connection; `http1` and `http2` carry one exchange.
//! [`ServerSets`] keeps the state of the servers for the whole process.

mod answer_first;
mod attempt;
mod balance;
mod body;
mod body_gate;
mod chunk_position;
mod client;
mod client_body;
mod connect;
mod dial_context;
mod driven;
mod error;
mod exchange;
mod flow;
mod health;
mod http1;
mod http2;
mod kept;
mod lease;
mod limits;
mod origin;
mod outbound;
mod proven_rest;
mod response_body;
mod rewrite;
mod server;
mod server_set;
mod server_sets;
mod settings;
mod single_flight;
mod spare;
mod state;
mod switching;
mod tls_failures;
mod traced;
mod within;

pub use answer_first::AnswerFirst;
pub use attempt::Switched;
pub use body::RequestBody;
pub use body_gate::BodyGate;
pub use client::{Forwarded, ServerIndex, Upstream};
pub use client_body::ClientBody;
pub use connect::reach;
pub use dial_context::{ConnectionCounts, DialContext};
pub use error::{AnswerFault, BodyFault, ForwardError, PrepareError};
pub use exchange::UpstreamReply;
pub use http1::LeavesRequestUnread;
pub use origin::{Origin, OriginError, Speaks};
pub use outbound::{Forwarding, Outbound, RequestContext};
pub use response_body::ResponseBody;
pub use server_set::ServerSet;
pub use server_sets::ServerSets;
pub use settings::{Balance, Health, HostHeader, Settings, Timeouts};
pub use state::{ServerLoad, ServerState};
