//! The command line: one file a command, and the only place that prints.

mod audit;
pub mod check;
mod completions;
mod demo;
mod diff;
mod explain;
mod fetch;
pub mod format;
pub mod hash;
pub mod healthcheck;
mod import;
pub mod init;
mod key;
mod load;
mod man;
mod markdown;
mod new_file;
mod password;
mod printing;
mod request;
mod routes;
mod run;
mod schema;
mod session;
mod terminal;
pub mod test;
mod token;
mod user;
mod view;
mod words;

pub use request::load_request;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};

use self::printing::ClosedPipe;
use crate::config::find_admin;

/// An authentication gateway in front of services that know nothing of it.
///
/// It signs people and programs in (a user list, LDAP, OpenID providers; passwords, codes of an app, passkeys), issues
/// and verifies JWTs, checks a rule for each path, and forwards the request or answers 401 or 403.
#[derive(Debug, Parser)]
#[command(
    name = "gatelatch",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_help = "Try it: `gatelatch demo` runs a sample service with the gateway in front of it.
Start your own: `gatelatch init`, then `gatelatch check`, then `gatelatch run`."
)]
struct Cli {
    /// The configuration
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "GATELATCH_CONFIG",
        default_value = "gateway.yaml",
        hide_env_values = true
    )]
    config: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
    Routes(routes::RoutesArgs),
    Diff(diff::DiffArgs),
    Audit(audit::AuditArgs),
    Import(import::ImportArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Hash(hash::HashArgs),
    User(user::UserArgs),
    Session(session::SessionArgs),
    Token(token::TokenArgs),
    Key(key::KeyArgs),
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// Runs the command of the process' arguments. Errors go to stderr; the exit code is 1, or 2 for a wrong command line.
pub fn main() -> ExitCode {
    // before anything else: no key and no token is looked at with a cryptography that was not tried
    let tried = crate::token::install_provider().map_err(anyhow::Error::from);
    let outcome = tried.and_then(|()| {
        let cli = Cli::try_parse().unwrap_or_else(|error| with_tip(nearest_first(error)).exit());
        run_command(&cli.config, cli.command)
    });
    outcome.unwrap_or_else(|error| {
        if error.is::<ClosedPipe>() {
            return ExitCode::from(CLOSED_PIPE);
        }
        // nothing is left to do where even this cannot be written
        let _ = writeln!(anstream::stderr().lock(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Of several commands that may be meant, the one with the fewest slips of the pen.
fn nearest_first(mut error: clap::Error) -> clap::Error {
    let written = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(written)) => written.clone(),
        Some(_) | None => return error,
    };
    if let Some(ContextValue::Strings(meant)) = error.get(ContextKind::SuggestedSubcommand) {
        let mut meant = meant.clone();
        meant.sort_by_key(|name| strsim::osa_distance(name, &written));
        meant.truncate(1);
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(meant),
        );
    }
    error
}

/// Says how the configuration is named, where a file stands by itself.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(written)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let is_file = [".yaml", ".yml"].iter().any(|end| written.ends_with(end));
    if error.kind() == ErrorKind::UnknownArgument && is_file && !written.starts_with('-') {
        let tip = format!("the configuration is named by '--config {written}'").into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// What a shell reports of a program that a closed pipe ended: 128 + SIGPIPE. It needs no message.
const CLOSED_PIPE: u8 = 141;

fn run_command(config: &Path, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(&args, config),
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args, config),
        Command::Test(args) => test::run(&args, config),
        Command::Explain(args) => explain::run(&args, config),
        Command::Routes(args) => routes::run(&args, config),
        Command::Diff(args) => diff::run(&args),
        Command::Audit(args) => audit::run(&args, config),
        Command::Import(args) => import::run(&args, config),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
        Command::Hash(args) => hash::run(&args),
        Command::User(args) => user::run(args, config),
        Command::Session(args) => session::run(args, config),
        Command::Token(args) => token::run(&args, config),
        Command::Key(args) => key::run(&args, config),
        Command::Healthcheck(args) => healthcheck::run(&args, || admin_listener(config)),
    }
}

fn admin_listener(config: &Path) -> anyhow::Result<Option<SocketAddr>> {
    find_admin(&load_request(config)).map_err(load::shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_configuration_that_stands_by_itself_is_answered_with_a_tip() {
        for command in ["check", "run", "routes"] {
            for (file, tip) in [("x.yaml", true), ("a/b.yml", true), ("x.json", false)] {
                let error = Cli::try_parse_from(["gatelatch", command, file]).unwrap_err();
                let text = with_tip(error).to_string();
                let named = format!("tip: the configuration is named by '--config {file}'");
                assert_eq!(text.contains(&named), tip, "{text}");
            }
        }
    }

    #[test]
    fn a_session_and_a_user_may_be_named_with_a_hyphen_at_the_begin() {
        let id = "-W8xQd3HTEyC4XbYp2JxVg";
        for arguments in [
            ["end", "--id", id],
            ["end", "--user", id],
            ["list", "--user", id],
        ] {
            let line = ["gatelatch", "session"].into_iter().chain(arguments);
            assert!(Cli::try_parse_from(line).is_ok(), "{arguments:?}");
        }
    }

    #[test]
    fn every_command_teaches_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Examples:"), "{}", command.get_name());
            assert!(
                command
                    .get_about()
                    .is_some_and(|about| !about.to_string().contains('`')),
                "{}",
                command.get_name()
            );
        }
    }
}
