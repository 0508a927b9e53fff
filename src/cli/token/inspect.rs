//! `gatelatch token inspect`.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::ambient;
use crate::cli::load;
use crate::cli::printing::print;
use crate::config::Config;
use crate::token::{Inspection, TokenError, Verifier};

/// More than any token that is accepted.
const LONGEST_INPUT: u64 = 64 * 1024;

/// Say what a token says, and whether it holds
///
/// Every check is made with the configured keys, and its verdict shown. The token itself is not printed again. Exit code
/// 0 where it holds, else 1.
#[derive(Debug, clap::Args)]
pub(super) struct TokenInspectArgs {
    /// The token; `-`, or nothing, reads it from standard input
    token: Option<String>,
}

pub(super) fn run(args: &TokenInspectArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let config = load::load(config)?.config;
    let token = read(args)?;
    let (text, holds) = inspect(&config, token.trim(), ambient::unix_seconds());
    print(&text)?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read(args: &TokenInspectArgs) -> anyhow::Result<Zeroizing<String>> {
    if let Some(token) = args.token.as_deref().filter(|token| *token != "-") {
        return Ok(Zeroizing::new(token.to_owned()));
    }
    let mut token = Zeroizing::new(String::new());
    let input = std::io::stdin().lock();
    input
        .take(LONGEST_INPUT)
        .read_to_string(&mut token)
        .context("cannot read a token from standard input")?;
    if token.trim().is_empty() {
        bail!("standard input is empty: write a token to it, or as the argument");
    }
    Ok(token)
}

/// What is printed, and whether the gateway would take the token.
fn inspect(config: &Config, token: &str, now: u64) -> (String, bool) {
    let settings = &config.auth.token;
    let inspection = Verifier::new(settings.keys(), settings.verifier()).inspect(token, now);
    let mut text = String::new();
    for (title, part) in [
        ("header", &inspection.header),
        ("claims", &inspection.claims),
    ] {
        if let Some(part) = part {
            // writing to a string never fails
            let _ = writeln!(text, "{title}\n{part:#}\n");
        }
    }
    dates(&inspection, &mut text);
    let lines = foreign(config, token, now).unwrap_or_else(|| own(config, inspection));
    for (name, verdict) in &lines {
        let _ = match verdict {
            Ok(()) => writeln!(text, "ok      {name}"),
            Err(why) => writeln!(text, "FAILED  {name}: {why}"),
        };
    }
    (text, lines.iter().all(|(_, verdict)| verdict.is_ok()))
}

/// The name of a check, and what is wrong.
type Line = (&'static str, Result<(), String>);

fn own(config: &Config, inspection: Inspection) -> Vec<Line> {
    let said = |(name, verdict): (_, Result<(), TokenError>)| {
        (name, verdict.map_err(|refusal| refusal.to_string()))
    };
    let mut lines: Vec<Line> = inspection.checks.into_iter().map(said).collect();
    if let Some(claims) = &inspection.claims {
        lines.push(("user", user(config, claims)));
    }
    lines
}

/// A token of another issuer: its checks are one, the user list's word among them.
fn foreign(config: &Config, token: &str, now: u64) -> Option<Vec<Line>> {
    let issuers = config.auth.trusted_issuers(|_, _| Arc::default());
    let verdict = issuers.verify(token, now)?;
    let is_published = issuers.publishes(token);
    let verdict = match verdict {
        Ok(token) => config
            .directory
            .admit_foreign(&token.identity, token.issued_at)
            .map_err(|refusal| refusal.to_string()),
        Err(TokenError::KeyId) if is_published => Err(format!(
            "{}; published keys are known to a running gateway only",
            TokenError::KeyId
        )),
        Err(refusal) => Err(refusal.to_string()),
    };
    Some(vec![("token of a trusted issuer", verdict)])
}

/// The dates in words: nobody reads seconds since 1970.
fn dates(inspection: &Inspection, text: &mut String) {
    let claims = inspection.claims.as_ref();
    for name in ["iat", "nbf", "exp"] {
        let second = claims
            .and_then(|claims| claims.get(name))
            .and_then(Value::as_u64);
        // beyond the year 9999 no date has four digits
        if let Some(second) = second.filter(|second| *second < 253_402_300_800) {
            let date = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second));
            let _ = writeln!(text, "{name}     {date}");
        }
    }
}

/// The last check: the user list is the truth at every request.
fn user(config: &Config, claims: &Value) -> Result<(), String> {
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let issued_at = claims
        .get("iat")
        .and_then(Value::as_f64)
        .map(|second| second as u64);
    match config.directory.find(subject) {
        None => Err("there is no such user".to_owned()),
        Some(user) => user.admit(issued_at).map_err(|refusal| refusal.to_string()),
    }
}
