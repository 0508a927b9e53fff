//! `gatelatch completions`: what a shell needs to complete command lines.

use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::printing::print;

/// Print completions for a shell
///
/// Write them where the shell looks for them; a new shell knows them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch completions bash > ~/.local/share/bash-completion/completions/gatelatch
  gatelatch completions zsh > ~/.zfunc/_gatelatch
  gatelatch completions fish > ~/.config/fish/completions/gatelatch.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the completions of `command`.
///
/// # Errors
/// Where the output cannot be written.
pub(super) fn run(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    // into memory first: the generator panics where it cannot write
    clap_complete::generate(args.shell, &mut command, "gatelatch", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
