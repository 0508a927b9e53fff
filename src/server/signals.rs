//! The signals that the process obeys.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// All signals that the process obeys.
pub(super) struct Signals {
    pub(super) ends: EndSignals,
    /// Asks for a reload.
    pub(super) hangup: Signal,
}

/// The signals that ask the process to end.
pub(super) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on none of them ends the process.
    pub(super) fn listen() -> io::Result<Self> {
        let ends = EndSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Self {
            ends,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl EndSignals {
    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
