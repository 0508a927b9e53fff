//! Loading the configuration for a command.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;

use super::load_request;
use crate::config::{self, LoadRequest, Loaded, Problems, Style};

/// Loads the configuration.
///
/// # Errors
/// All its problems, ready to be shown on stderr.
pub(super) fn load(path: &Path) -> anyhow::Result<Loaded> {
    load_with(&load_request(path))
}

pub(super) fn load_with(request: &LoadRequest) -> anyhow::Result<Loaded> {
    config::load(request).map_err(shown)
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
