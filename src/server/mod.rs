//! Threads, sockets, signals, reload and drain.

mod client;
mod clock;
mod connection;
mod context;
mod executor;
mod file_watch;
mod files;
mod give_up;
mod http1;
mod http2;
mod io;
mod linger;
mod listen;
mod manager;
mod operators;
mod outbox;
mod parking;
mod prefixed;
mod proxy_protocol;
mod rejections;
mod release_memory;
mod reload;
mod retired_snapshots;
mod run;
mod signals;
mod sinks;
mod stream;
mod target;
mod team;
mod terms;
mod timed_body;
mod tls;
mod watchdog;
mod worker;

pub use listen::{ListenAddress, ListenError};
pub use run::{Bound, GatewaySettings, RunError, run};
