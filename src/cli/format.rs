//! How a command prints what it found.

use clap::ValueEnum;

/// What `--format` takes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people
    Text,
    /// JSON on standard output, for programs
    Json,
}
