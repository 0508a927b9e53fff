//! `gatelatch session`: who is signed in, and signing somebody out.

mod access;
mod gateway;
mod list;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

pub(super) use self::access::SessionAccess;
use super::printing::{counted, print, say};
use crate::session::SessionSelector;
use crate::token::SessionId;

/// List the sessions of people and programs, or end them
///
/// A session begins with a login and ends with a logout, by itself, or here: then its cookies, access tokens and refresh tokens
/// are refused by every replica, and its WebSockets are closed. With `state: redis://…` the store is asked, whether or not a
/// gateway runs. Otherwise sessions are in the running gateway, which is asked at `admin.listen`; it ends sessions only where
/// `admin.token` is set. A `file:` is read itself where no gateway has it.
///
/// To keep somebody out who could sign in again, `gatelatch user disable` as well, or disable the account at the provider.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch session list
  gatelatch session list --user alice --format json
  gatelatch session list --provider corp
  gatelatch session end --user alice
  gatelatch session end --id 3q2-7wAAAAAAAAAAAAAAAA")]
pub(super) struct SessionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::SessionListArgs),
    End(EndArgs),
}

/// End the sessions of a user, or one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch session end --user alice
  gatelatch session end --id 3q2-7wAAAAAAAAAAAAAAAA")]
#[group(required = true, multiple = false)]
struct EndArgs {
    /// Whose sessions end, with browsers and with tokens
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    user: Option<String>,
    /// The session that ends, as `session list` names it
    // one name in 64 begins with a hyphen
    #[arg(long, allow_hyphen_values = true)]
    id: Option<String>,
}

pub(super) fn run(args: SessionArgs, config: &Path) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(args) => list::run(&args, config),
        Command::End(args) => end(&args, config),
    }
}

fn end(args: &EndArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let selector = match (&args.user, &args.id) {
        (Some(user), _) => SessionSelector::User(user.as_str().into()),
        (None, Some(id)) => match SessionId::parse(id) {
            Some(id) => SessionSelector::Id(id),
            None => bail!(
                "`{}` is no name of a session; `gatelatch session list` shows them",
                id.escape_debug()
            ),
        },
        (None, None) => bail!("name a `--user` or an `--id`"),
    };
    let access = SessionAccess::open(config)?;
    let ended = access.end(&selector)?;
    print(&format!("ended {}\n", counted(ended, "session")))?;
    access.note().map_or(Ok(()), say)?;
    if ended > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    // a script that signs somebody out learns of a slip of the pen
    let named = args.user.as_ref().or(args.id.as_ref());
    let named = named.map_or("", |name| name.as_str()).escape_debug();
    let (whose, what) = match args.user {
        Some(_) => ("nobody called", "is signed in"),
        None => ("no session", "is there"),
    };
    say(&format!(
        "{whose} `{named}` {what}; `gatelatch session list` shows all sessions"
    ))?;
    Ok(ExitCode::FAILURE)
}
