//! What operators see of a running gateway: counters, one line a request, events, traces, and records for auditors.
//!
//! Nothing here decides anything, and nothing here makes a request wait, but for a record that must not be lost.

pub mod access_log;
pub mod audit;
pub mod events;
pub mod history;
pub mod metrics;
pub mod recent;
pub mod traces;

use std::io::IsTerminal;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// `key=value` text, for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl LineFormat {
    /// What suits a stream: text on a terminal, JSON elsewhere.
    pub fn of(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}
