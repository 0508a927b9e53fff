//! `gatelatch token`: tokens made and looked at by hand.

mod inspect;
mod issue;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

/// Make a token, or look at one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch token issue --user alice@example.com --ttl 10m
  gatelatch token inspect \"$TOKEN\"
  pbpaste | gatelatch token inspect -")]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Issue(issue::TokenIssueArgs),
    Inspect(inspect::TokenInspectArgs),
}

pub(super) fn run(args: &TokenArgs, config: &Path) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Issue(args) => issue::run(args, config),
        Command::Inspect(args) => inspect::run(args, config),
    }
}
