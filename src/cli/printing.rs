//! Reports on standard output.

use std::fmt;
use std::io::{self, Write as _};

use anyhow::{Context as _, anyhow};
use clap::builder::styling::Style;

/// What a line is about.
pub(super) const STRONG: Style = Style::new().bold();

/// Whoever reads standard output has seen enough, as in `gatelatch routes | head`.
#[derive(Debug)]
pub(super) struct ClosedPipe;

/// Writes a report at once; colours are taken away where they do not belong.
///
/// # Errors
/// [`ClosedPipe`] where nobody reads it any more, or why it cannot be written.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ClosedPipe.into()),
        Err(error) => Err(anyhow::Error::from(error).context("cannot write to standard output")),
        Ok(()) => Ok(()),
    }
}

/// A text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `1 rule`, `2 rules`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl fmt::Display for ClosedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ClosedPipe {}

/// What is not the result itself goes to stderr.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    writeln!(anstream::stderr().lock(), "{text}").context("cannot write to standard error")
}

/// Prints a new secret and a line end, the only time it is there to be seen.
///
/// # Errors
/// Also where nobody reads it any more; with `remedy`, which says what to do now that the secret is lost.
pub(super) fn print_once(secret: &str, remedy: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    let written = writeln!(out, "{secret}").and_then(|()| out.flush());
    written.map_err(|error| anyhow!("cannot write to standard output: {error}; {remedy}"))
}
