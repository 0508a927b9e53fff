//! `gatelatch routes`: who can do what.

mod html;
mod json;
mod markdown;
mod report;
mod text;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;

use self::report::{Cell, Line, RoutesReport, ServiceTable};
use super::printing::print;
use super::words::trimmed;
use super::{load, terminal};

use crate::access::Mode;
use crate::analysis::{
    AudienceAccess, CallerAudience, audiences, condition_in_words, methods_in_words, rows,
};
use crate::config::{Config, Service};

/// Show who can do what: rules and roles
///
/// One row for each rule, one column for each kind of caller: anonymous callers, those who signed in and have no role,
/// and those who have one role. Roles are those that rules name and those that users have. The most specific rule that
/// covers a request decides, so that each row tells the whole truth for the requests that it decides; what no rule covers
/// is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch routes
  gatelatch routes --service jobs --roles admin,recruiter
  gatelatch routes --format html > routes.html
  gatelatch routes --format json | jq '.services[].rules[] | select(.access.anonymous == true)'")]
pub(super) struct RoutesArgs {
    /// How the table is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// This service only
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Columns for these roles only; several with commas between them
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = trimmed::<String>)]
    roles: Option<Vec<String>>,
}

/// How the table is printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// As wide as the terminal
    Text,
    /// A table for a wiki or a pull request
    Markdown,
    /// For programs
    Json,
    /// One page without anything from elsewhere
    Html,
}

/// Prints the table.
///
/// # Errors
/// Where the configuration does not load, or names no such service or role.
pub(super) fn run(args: &RoutesArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let config = load::load_to_look(path)?;
    let report = report(&config, args)?;
    let text = match args.format {
        Format::Text => text::render(&report, terminal::width()),
        Format::Markdown => markdown::render(&report),
        Format::Json => json::render(&report),
        Format::Html => html::render(&report),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn report<'a>(config: &'a Config, args: &RoutesArgs) -> anyhow::Result<RoutesReport<'a>> {
    let services: Vec<&Service> = config
        .services
        .iter()
        .filter(|one| is_asked(args.service.as_ref(), &one.name))
        .collect();
    if services.is_empty() {
        let known: Vec<_> = config
            .services
            .iter()
            .map(|service| format!("`{}`", service.name))
            .collect();
        bail!(
            "there is no service `{}`; known: {}",
            args.service.as_deref().unwrap_or_default(),
            known.join(", ")
        );
    }
    let held = config
        .directory
        .users()
        .flat_map(|user| user.identity.roles.iter())
        .map(|role| &**role);
    let mut audiences = audiences(config.services.iter().map(|service| &service.policy), held);
    if let Some(roles) = &args.roles {
        retain(&mut audiences, roles)?;
    }
    let table = |service: &'a Service| ServiceTable {
        service,
        rows: lines(service, &audiences),
    };
    Ok(RoutesReport {
        services: services.into_iter().map(table).collect(),
        audiences,
    })
}

fn is_asked(asked: Option<&String>, name: &str) -> bool {
    asked.is_none_or(|asked| asked == name)
}

fn retain(audiences: &mut Vec<CallerAudience>, roles: &[String]) -> anyhow::Result<()> {
    let is_role = |audience: &CallerAudience, role: &str| matches!(audience, CallerAudience::Role(one) if **one == *role);
    if let Some(role) = roles
        .iter()
        .find(|role| !audiences.iter().any(|one| is_role(one, role)))
    {
        bail!("no rule names the role `{role}`, and no user has it");
    }
    audiences.retain(|one| match one {
        CallerAudience::Anonymous | CallerAudience::SignedIn => true,
        CallerAudience::Role(role) => roles.iter().any(|asked| **asked == **role),
    });
    Ok(())
}

fn lines(service: &Service, audiences: &[CallerAudience]) -> Vec<Line> {
    let line = |row: crate::analysis::AccessRow| {
        let rule = service.policy.rule(row.rule);
        Line {
            rule: row.rule,
            methods: methods_in_words(&rule.methods),
            path: match rule.mode {
                Mode::Enforce => rule.pattern.source().to_owned(),
                Mode::Report => format!("{} (only reported)", rule.pattern.source()),
            },
            cells: row.cells.iter().map(cell).collect(),
        }
    };
    rows(&service.policy, audiences)
        .into_iter()
        .map(line)
        .collect()
}

fn cell(access: &AudienceAccess) -> Cell {
    match access {
        AudienceAccess::Always => Cell::Yes,
        AudienceAccess::Never => Cell::No,
        AudienceAccess::If(conditions) => {
            Cell::If(conditions.iter().map(condition_in_words).collect())
        }
    }
}
