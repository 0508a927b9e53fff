//! `gatelatch hash`: the bcrypt hash of a password.

use std::process::ExitCode;

use super::password;
use super::printing::print;

/// Hash a password for the users file
///
/// The password is asked for twice on a terminal, and is the one line of standard input otherwise, without its end.
/// It is never an argument: arguments are visible to other users of the machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch hash                              ask for the password
  gatelatch hash --cost 13 < password.txt     read it from a file")]
pub struct HashArgs {
    /// The work a guess costs, 4 to 15; each step doubles it, and each login costs it too
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=15))]
    cost: u32,
}

/// Prints the hash on stdout.
///
/// # Errors
/// Where the password cannot be read or hashed; the message says what to do instead.
pub fn run(args: &HashArgs) -> anyhow::Result<ExitCode> {
    let hash = password::hash(&password::obtain()?, args.cost)?;
    print(&format!("{hash}\n"))?;
    Ok(ExitCode::SUCCESS)
}
