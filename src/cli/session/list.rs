//! `gatelatch session list`.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::bail;
use serde_json::Value;

use super::access::SessionAccess;
use crate::cli::format::Format;
use crate::cli::load;
use crate::cli::printing::{counted, print, say};
use crate::token::LDAP;

/// List who is signed in, the last sign-in first
#[derive(Debug, clap::Args)]
pub(super) struct SessionListArgs {
    /// Only of this user
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    user: Option<String>,
    /// Only of people who signed in at this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// How the list is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const HEAD: [&str; 7] = [
    "ID",
    "USER",
    "WITH",
    "PROVIDER",
    "SINCE",
    "UNTIL",
    "CONFIRMED",
];

pub(super) fn run(args: &SessionListArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let access = SessionAccess::open(config)?;
    let mut sessions = access.list(args.user.as_deref(), args.provider.as_deref())?;
    if let Some(provider) = args.provider.as_deref().filter(|_| sessions.is_empty()) {
        assert_known(provider, config)?;
    }
    sessions.sort_by_key(|session| std::cmp::Reverse(session["since"].as_u64()));
    match args.format {
        Format::Text => {
            print(&table(&sessions))?;
            say(&counted(sessions.len(), "session"))?;
            access.note().map_or(Ok(()), say)?;
        }
        Format::Json => print(&format!("{:#}\n", Value::Array(sessions)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Sessions of a provider that is not configured any more are listed: only of one that has none is asked.
fn assert_known(provider: &str, config: &Path) -> anyhow::Result<()> {
    let auth = load::load_to_look(config)?.auth;
    let mut known: Vec<_> = auth.providers.iter().map(|one| one.name.as_str()).collect();
    known.extend(auth.ldap.is_some().then_some(LDAP));
    if known.contains(&provider) {
        return Ok(());
    }
    let known = match known.as_slice() {
        [] => "none is configured".to_owned(),
        known => format!("configured: `{}`", known.join("`, `")),
    };
    bail!(
        "there is no provider `{}`; {known}",
        provider.escape_debug()
    )
}

fn table(sessions: &[Value]) -> String {
    let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned))
        .chain(sessions.iter().map(row))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let line = |row: &[String; HEAD.len()]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(session: &Value) -> [String; HEAD.len()] {
    // a name that a provider has chosen moves no cursor
    let text = |name: &str| {
        let text = session[name].as_str();
        text.map_or_else(|| "-".to_owned(), |text| text.escape_debug().to_string())
    };
    let time = |name: &str| {
        let time = session[name].as_u64();
        let time = time.and_then(|time| UNIX_EPOCH.checked_add(Duration::from_secs(time)));
        time.map_or_else(
            || "-".to_owned(),
            |time| humantime::format_rfc3339_seconds(time).to_string(),
        )
    };
    [
        text("id"),
        text("user"),
        text("kind"),
        text("provider"),
        time("since"),
        time("until"),
        time("confirmed"),
    ]
}
