//! Threads, sockets, signals, reload and drain.

mod clock;
mod connection;
mod context;
mod executor;
mod farewell;
mod files;
mod http1;
mod http2;
mod io;
mod leftovers;
mod listen;
mod manager;
mod operators;
mod outbox;
mod outlets;
mod parking;
mod prefixed;
mod proxy_protocol;
mod pulse;
mod rejections;
mod reload;
mod run;
mod signals;
mod stream;
mod team;
mod terms;
mod timed_body;
mod tls;
mod trim;
mod watch;
mod worker;

pub use listen::{Endpoint, ListenError};
pub use run::{Bound, RunError, Settings, run};
