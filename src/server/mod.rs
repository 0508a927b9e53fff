//! Threads, sockets, signals, reload and drain.

mod clock;
mod connection;
mod context;
mod files;
mod io;
mod listen;
mod reload;
mod run;
mod watch;
mod worker;

pub use listen::ListenError;
pub use run::{Bound, RunError, Settings, run};
