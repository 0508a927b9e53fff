//! `gatelatch man`: manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Command;

use super::new_file::create_folder;
use super::printing::print;

/// Print the manual page, or write one for each command
///
/// Without a folder, the page of the program goes to standard output; with one, a page for the program and one for each
/// command are written there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch man | man -l -
  gatelatch man /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// The folder for the pages; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints or writes the pages of `command`.
///
/// # Errors
/// Where they cannot be written.
pub(super) fn run(args: &ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    match &args.folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            print(&String::from_utf8(page)?)?;
        }
        Some(folder) => {
            create_folder(folder)?;
            clap_mangen::generate_to(command, folder)
                .with_context(|| format!("cannot write manual pages to `{}`", folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
