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

use std::env;
use std::ffi::OsStr;
use std::io::IsTerminal;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// `key=value` text, for people.
    Text,
    /// The same, where statuses and levels that need attention are coloured.
    Coloured,
    /// One JSON object a line, for machines.
    Json,
}

impl LineFormat {
    /// What suits a stream: text on a terminal, JSON elsewhere.
    pub fn of(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() {
            Self::text_on(stream)
        } else {
            Self::Json
        }
    }

    /// Text; in colours on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or `TERM` is `dumb`.
    pub fn text_on(stream: &impl IsTerminal) -> Self {
        let is_set =
            |name, value: fn(&OsStr) -> bool| env::var_os(name).is_some_and(|it| value(&it));
        let plain =
            is_set("NO_COLOR", |value| !value.is_empty()) || is_set("TERM", |it| it == "dumb");
        if stream.is_terminal() && !plain {
            Self::Coloured
        } else {
            Self::Text
        }
    }
}

/// How much attention a value needs on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    None,
    Some,
    Much,
}

impl Attention {
    /// Appends what `put` appends, in the colour of this attention where the format has colours.
    fn paint(self, format: LineFormat, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
        let colour: &[u8] = match (format, self) {
            (LineFormat::Coloured, Self::Some) => b"\x1b[33m",
            (LineFormat::Coloured, Self::Much) => b"\x1b[31m",
            (LineFormat::Coloured, Self::None) | (LineFormat::Text | LineFormat::Json, _) => b"",
        };
        out.extend_from_slice(colour);
        put(out);
        if !colour.is_empty() {
            out.extend_from_slice(b"\x1b[0m");
        }
    }
}
