//! Places inside the files of a configuration.

/// Which of the files a place lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum File {
    /// The `.env` beside the configuration.
    Environment,
    /// `gateway.yaml`.
    Config,
    /// `users.yaml`.
    Users,
    /// A file of tests that `gatelatch test FILE` names.
    Tests,
}

/// A line and a column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// From the first character to the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    pub(super) file: File,
    pub(super) start: Position,
    pub(super) end: Position,
}

impl Span {
    /// A single place.
    pub(super) fn at(file: File, line: u32, column: u32) -> Self {
        let start = Position { line, column };
        Self {
            file,
            start,
            end: start,
        }
    }

    /// A piece of this span's first line, `offset` characters into it.
    pub(super) fn part(self, offset: u32, length: u32) -> Self {
        let column = self.start.column + offset;
        let start = Position {
            line: self.start.line,
            column,
        };
        Self {
            file: self.file,
            start,
            end: Position {
                line: start.line,
                column: column + length,
            },
        }
    }
}

/// A number of lines or columns; files are too short for this to saturate.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
