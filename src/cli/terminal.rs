//! What every command that prints shares: colours, the width of the terminal, and a sign of life where it takes long.
//! Colours are written always; the streams of `anstream` take them away where they do not belong, as in a pipe.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Color, Style};

use crate::ambient;

/// What is allowed, holds or is in order.
pub(super) const GOOD: Style = coloured(AnsiColor::Green);
/// What is refused, fails or is broken.
pub(super) const BAD: Style = coloured(AnsiColor::Red).bold();
/// What is worth a second look.
pub(super) const DOUBTFUL: Style = coloured(AnsiColor::Yellow);
/// What can be skipped in reading, such as places.
pub(super) const FAINT: Style = Style::new().dimmed();

const fn coloured(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(color)))
}

/// The columns of the terminal on standard output; `None` where that is none, and lines may be of any length.
pub(super) fn width() -> Option<usize> {
    let stdout = stdout();
    let size = if stdout.is_terminal() {
        rustix::termios::tcgetwinsize(stdout).ok()
    } else {
        None
    };
    size.map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
}

/// Breaks a text into lines of at most `width` columns; lines after the first begin with `indent` spaces. A word that is
/// longer than a line stays whole.
pub(super) fn wrap(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let (mut wrapped, mut column) = (String::new(), 0);
    let start = text.len() - text.trim_start().len();
    for word in text[start..].split(' ') {
        let length = columns(word);
        if column == 0 {
            wrapped.push_str(&text[..start]);
            column = start;
        } else if column + 1 + length > width && column > indent {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// The characters of a word that are seen: without escape sequences, which begin with ESC and end with a letter.
fn columns(word: &str) -> usize {
    let mut escaped = false;
    let seen = word.chars().filter(|c| {
        let hidden = escaped || *c == '\x1b';
        escaped = hidden && !c.is_ascii_alphabetic();
        !hidden
    });
    seen.count()
}

/// A line on the terminal that says what is being done, from the first second on; taken away when this is dropped.
pub(super) struct Progress {
    stage: Arc<Mutex<String>>,
    /// Dropping it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Nothing is said where standard error is no terminal.
    pub(super) fn start(stage: &str) -> Self {
        let stage = Arc::new(Mutex::new(stage.to_owned()));
        if !stderr().is_terminal() {
            return Self {
                stage,
                stop: None,
                thread: None,
            };
        }
        let (stop, stopped) = channel::<()>();
        let shown = Arc::clone(&stage);
        let started = ambient::now();
        let thread = std::thread::spawn(move || {
            let mut wait = Duration::from_secs(1);
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = Duration::from_millis(200);
                let seconds = ambient::now().saturating_duration_since(started).as_secs();
                let stage = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // a terminal that cannot be written to shows nothing
                let _ = write!(stderr().lock(), "\r\x1b[K{stage} … {seconds} s");
            }
            if wait < Duration::from_secs(1) {
                let _ = write!(stderr().lock(), "\r\x1b[K");
            }
        });
        Self {
            stage,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Says what is done next.
    pub(super) fn stage(&self, stage: &str) {
        stage.clone_into(&mut self.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // it can only have ended otherwise by a panic, which has been printed
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        for (text, indent, width, expected) in [
            ("a b c", 2, None, "a b c"),
            ("  aaa bbb ccc", 4, Some(10), "  aaa bbb\n    ccc"),
            ("aaaaaaaaaaaaaaa b", 2, Some(10), "aaaaaaaaaaaaaaa\n  b"),
            ("a  b", 0, Some(10), "a  b"),
            ("", 2, Some(10), ""),
            (
                "\x1b[1;31maaa\x1b[0m bbbbbb c",
                2,
                Some(10),
                "\x1b[1;31maaa\x1b[0m bbbbbb\n  c",
            ),
        ] {
            assert_eq!(wrap(text, indent, width), expected, "{text:?}");
        }
    }
}
