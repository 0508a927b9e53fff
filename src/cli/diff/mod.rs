//! `gatelatch diff`: what changes from one configuration to another.

mod credentials;
mod json;
mod markdown;
mod notices;
mod people;
mod rates;
mod report;
mod text;
mod weight;
mod words;

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;

use self::people::Everybody;
use self::report::DiffReport;
use super::printing::{counted, print};
use super::terminal::Progress;
use super::view::{self, AtWork};
use super::{load, terminal};
use crate::analysis::diff;
use crate::config::{Config, Service};

/// Show which requests change from allowed to denied, or back, between two configurations
///
/// Worked out from the rules, the services and the users of both, not from samples: a configuration that opens nothing is
/// said to open nothing. The files that each configuration names count too: users, secrets, `.env`. A change that lets
/// somebody reach what was out of reach before stands first. Tests that do not hold are named on standard error, and change
/// nothing here. Exit code 1 where something opens, else 0; 2 where a configuration does not load.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch diff gateway.yaml gateway.new.yaml
  git worktree add /tmp/before HEAD && gatelatch diff /tmp/before/gateway.yaml gateway.yaml
  gatelatch diff old/gateway.yaml new/gateway.yaml --format markdown >> \"$GITHUB_STEP_SUMMARY\"")]
pub(super) struct DiffArgs {
    /// The configuration of before
    old: PathBuf,

    /// The configuration of now
    new: PathBuf,

    /// How the changes are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How the changes are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people
    Text,
    /// For a pull request
    Markdown,
    /// For programs; every change in full
    Json,
}

/// Compares and prints.
///
/// # Errors
/// Where the output cannot be written. A configuration that does not load is shown, and ends with exit code 2.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let loaded = look(&args.old).and_then(|old| Ok((old, look(&args.new)?)));
    let (old, new) = match loaded {
        Ok(both) => both,
        Err(error) => {
            writeln!(anstream::stderr().lock(), "error: {error:#}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let report = compare(args, &old, &new);
    let text = match args.format {
        Format::Text => text::render(&report, terminal::width()),
        Format::Markdown => markdown::render(&report),
        Format::Json => json::render(&report),
    };
    print(&text)?;
    Ok(if report.opens() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// One that is not there is said in other words than a configuration that `--config` would name.
fn look(path: &Path) -> anyhow::Result<Config> {
    fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    load::load_to_look(path)
}

fn compare<'a>(args: &'a DiffArgs, old: &'a Config, new: &'a Config) -> DiffReport<'a> {
    let everybody = Everybody::of(old, new);
    let renamed = renamed(old, new);
    let known_as = |service: &'a Service| {
        renamed
            .get(service.name.as_str())
            .copied()
            .unwrap_or(&service.name)
    };
    let at_work = [old, new].map(AtWork::of);
    let before = view::configuration(old, &at_work[0], |service| &service.name);
    let after = view::configuration(new, &at_work[1], known_as);
    let progress = Progress::start("comparing");
    let changes = diff::compare(&before, &after, &everybody.people, &mut |paths| {
        progress.stage(&format!("compared {}", counted(paths, "kind of path")));
    });
    let methods = diff::method_classes(&before, &after);
    drop(progress);
    let notices = notices::notices(old, new, &everybody, &renamed);
    DiffReport {
        paths: (&args.old, &args.new),
        old,
        new,
        everybody,
        methods,
        changes,
        notices,
    }
}

/// By the new name the old one of each service that has another name and the same upstream: nothing else of its kind
/// vanished or appeared.
fn renamed<'a>(old: &'a Config, new: &'a Config) -> HashMap<&'a str, &'a str> {
    let only_in = |here: &'a Config, there: &'a Config| -> Vec<&'a Service> {
        let is_there = |service: &&Service| {
            there
                .services
                .iter()
                .any(|other| other.name == service.name)
        };
        here.services
            .iter()
            .filter(|service| !is_there(service))
            .collect()
    };
    let (gone, come) = (only_in(old, new), only_in(new, old));
    let alike = |one: &Service, other: &Service| one.upstream == other.upstream;
    let mut renamed = HashMap::new();
    for service in &come {
        let mut before = gone.iter().filter(|one| alike(one, service));
        let (Some(first), None) = (before.next(), before.next()) else {
            continue;
        };
        if come.iter().filter(|other| alike(first, other)).count() == 1 {
            renamed.insert(service.name.as_str(), first.name.as_str());
        }
    }
    renamed
}
