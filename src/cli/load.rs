//! Loading the configuration for a command.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;

use super::load_request;
use super::printing::{counted, say};
use crate::config::{self, Config, LoadRequest, Loaded, Problems, Style};

/// Loads the configuration.
///
/// # Errors
/// All its problems, ready to be shown on stderr; tests that do not hold are among them.
pub(super) fn load(path: &Path) -> anyhow::Result<Loaded> {
    load_with(&load_request(path))
}

pub(super) fn load_with(request: &LoadRequest) -> anyhow::Result<Loaded> {
    config::load(request).map_err(shown)
}

/// Loads the configuration for a command that only looks at it. Tests that do not hold are named on stderr, and stand in
/// nobody's way: they are why one looks.
///
/// # Errors
/// All its problems, ready to be shown on stderr.
pub(super) fn load_to_look(path: &Path) -> anyhow::Result<Config> {
    let rehearsal = config::rehearse(&load_request(path), None).map_err(shown)?;
    let failed = rehearsal.report.results.iter();
    let failed = failed.filter(|test| test.failure.is_some());
    let failed: Vec<String> = failed.map(|test| format!("  {}", test.name)).collect();
    if !failed.is_empty() {
        let verb = if failed.len() == 1 { "does" } else { "do" };
        say(&format!(
            "note: {} of {} {verb} not hold, so that the gateway would refuse it; `gatelatch test` says why:\n{}",
            counted(failed.len(), "test"),
            path.display(),
            failed.join("\n")
        ))?;
    }
    Ok(rehearsal.loaded.config)
}

/// Problems as an error of a command.
pub(super) fn shown(problems: Problems) -> anyhow::Error {
    Shown(problems).into()
}

/// How problems look on stderr.
pub(super) fn style() -> Style {
    if std::io::stderr().is_terminal() {
        Style::Ansi
    } else {
        Style::Plain
    }
}

/// Problems as they are shown.
#[derive(Debug)]
struct Shown(Problems);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.0.errors();
        let plural = if errors == 1 { "problem" } else { "problems" };
        write!(
            f,
            "the configuration has {errors} {plural}\n\n{}",
            config::render(self.0.as_slice(), style()).trim_end()
        )
    }
}

impl std::error::Error for Shown {}
