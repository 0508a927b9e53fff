//! Loading the configuration for a command.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;

use super::load_request;
use super::printing::{counted, say};
use crate::config::{self, Config, LoadRequest, Loaded, Problem, Problems, Severity, Style};

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
    let of = "the configuration".to_owned();
    Shown { problems, of }.into()
}

/// The same, where a command reads this file beside the configuration.
pub(super) fn shown_beside(problems: Problems, file: &Path) -> anyhow::Error {
    let is_there = |one: &Problem| one.place.as_ref().is_some_and(|at| at.file() == file);
    let mut all = problems.as_slice().iter();
    if !all.all(|one| one.severity == Severity::Warning || is_there(one)) {
        return shown(problems);
    }
    let of = format!("`{}`", file.display());
    Shown { problems, of }.into()
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
struct Shown {
    problems: Problems,
    /// Whose they are.
    of: String,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, errors) = (&self.of, self.problems.errors());
        let plural = if errors == 1 { "problem" } else { "problems" };
        write!(
            f,
            "{of} has {errors} {plural}\n\n{}",
            config::render(self.problems.as_slice(), style()).trim_end()
        )
    }
}

impl std::error::Error for Shown {}
