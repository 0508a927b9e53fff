//! The only way out: from a permit to the upstream's answer.

mod body;
mod connect;
mod error;
mod gate;
mod outbound;
mod pool;
mod settings;

pub use body::{RequestBody, ResponseBody};
pub use connect::Connector;
pub use error::{BodyFault, ForwardError, PrepareError};
pub use outbound::{Extra, Forwarding, Outbound};
pub use pool::{ConnectionCounts, Pool, Sent, Switched};
pub use settings::{HostHeader, Origin, OriginError, Settings, Timeouts};
