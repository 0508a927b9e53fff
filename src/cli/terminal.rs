//! What the terminal is like, and how work that takes a while is shown on it.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::ambient;

pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const DIM: &str = "\x1b[2m";
pub(super) const RED: &str = "\x1b[1;31m";
pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const YELLOW: &str = "\x1b[33m";
pub(super) const RESET: &str = "\x1b[0m";

/// Columns of the terminal that standard output goes to; `None` where it goes elsewhere.
pub(super) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    // a terminal that does not know its size says 0
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A line on standard error that says how far work has come: on a terminal only, and only after a second.
pub(super) struct Progress {
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(super) fn start() -> Self {
        let next = io::stderr().is_terminal().then(|| ambient::now() + Duration::from_secs(1));
        Self { next, shown: false }
    }

    /// `what` is asked for a few times a second at the most.
    pub(super) fn show(&mut self, what: impl FnOnce() -> String) {
        let now = ambient::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + Duration::from_millis(200));
            self.shown = true;
            // work goes on without its progress
            let _ = write!(io::stderr(), "\r{}\x1b[K", what());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// A text in a style; the streams take it away where they are no terminals.
pub(super) fn styled(style: &str, text: &str) -> String {
    format!("{style}{text}{RESET}")
}

/// `1 rule`, `2 rules`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
