//! `gatelatch schema`: the JSON Schema of both files.

use std::process::ExitCode;

use clap::ValueEnum;

use super::printing::print;
use crate::config::{gateway_schema, users_schema};

/// Print the JSON Schema of the configuration or of the users file
///
/// With it, an editor completes keys, shows what they mean, and marks what is wrong as you type. `gatelatch check` knows
/// more than a schema can say: it has the last word.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch schema > gateway.schema.json
  gatelatch schema users > users.schema.json
  # then, in the first line of gateway.yaml: # yaml-language-server: $schema=gateway.schema.json")]
pub(super) struct SchemaArgs {
    /// Which file
    #[arg(value_enum, default_value_t = File::Config)]
    file: File,
}

/// What has a schema.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    /// gateway.yaml
    Config,
    /// The users file
    Users,
}

/// Prints the schema (JSON Schema 2020-12).
///
/// # Errors
/// Where the output cannot be written.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    print(&match args.file {
        File::Config => gateway_schema(),
        File::Users => users_schema(),
    })?;
    Ok(ExitCode::SUCCESS)
}
