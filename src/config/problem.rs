//! What is wrong with a configuration, ready to be shown: no problem holds a secret.

use std::fmt;
use std::path::{Path, PathBuf};

use super::code::Code;

/// One mistake, or one thing worth a second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub code: Code,
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; `None` where no file says it.
    pub place: Option<Place>,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that belong to it.
    pub notes: Vec<Note>,
}

/// Whether a configuration with this problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

/// A place in a file, with the line to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As given by the operator.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line of the place's last character.
    pub end_line: usize,
    /// The column after the last character.
    pub end_column: usize,
    /// The line, with secrets and comments taken out; `None` where it is better not shown.
    pub excerpt: Option<Excerpt>,
}

/// A line fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The text of the line.
    pub text: String,
    /// Which bytes of `text` the caret stands under; never empty.
    pub marked: std::ops::Range<usize>,
}

/// A further place that belongs to a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is there.
    pub message: String,
    /// Where.
    pub place: Place,
}

/// Everything that is wrong with a configuration that cannot be used, warnings included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    files: Vec<PathBuf>,
}

impl Problems {
    pub(super) fn new(list: Vec<Problem>, files: Vec<PathBuf>) -> Self {
        Self { list, files }
    }

    /// The problems, by file and line.
    pub fn as_slice(&self) -> &[Problem] {
        &self.list
    }

    /// Every file that was read before it failed: a change of one of them may be the repair.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        self.list
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Place {
    /// The file as given by the operator.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// One line, for logs: `gateway.yaml:12:7: unknown key `lisen` (did you mean `listen`?)`.
/// Without the files: among those that are missing may be a secret that stands where its file should be named.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(
                f,
                "{}:{}:{}: ",
                place.file.display(),
                place.line,
                place.column
            )?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// One line a problem.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {problem}", problem.severity.as_str())?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
