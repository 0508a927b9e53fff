//! `gatelatch test`: requests whose outcome is known, and the rules that none of them touches.

mod junit;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::format::Format;
use super::load;
use super::load_request;
use super::printing::{counted, print};
use super::terminal::{BAD, FAINT, GOOD, Progress};
use crate::access::RuleId;
use crate::config::{self, Config, Origin, Rehearsal, Style, TestReport, TestResult};

/// Run the tests of the policy
///
/// Each test is a request whose outcome is known. It is read, routed and decided on as if it were sent, and nothing is
/// sent. Without FILE, the `tests` of the configuration are run; with it, those of FILE, a list of tests or a map with
/// `tests`. At the end stand the rules that no test touches. Exit code 1 where a test fails.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "A test is a map:
  - { request: POST /jobs, as: carl, expect: forbidden }
  - request: GET https://jobs.example.com/users/alice/cv
    as: { user: alice, roles: [candidate], claims: { tenant: acme }, address: 10.1.2.3 }
    expect: allowed        # allowed, unauthenticated, forbidden, bad_request or not_found
    name: one's own CV     # for reports
What `as` does not say of a listed user is as in the users file; without `as`, the caller is anonymous.

Examples:
  gatelatch test
  gatelatch test policy-tests.yaml --junit report.xml
  gatelatch test --deny untouched --format json")]
pub struct TestArgs {
    /// A file of tests, to run instead of the configuration's
    pub file: Option<PathBuf>,
    /// Write a report as JUnit XML, for CI
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// What ends with exit code 1 beside tests that fail
    #[arg(long, value_name = "WHAT")]
    pub deny: Option<DenyUntouched>,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What `--deny` takes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyUntouched {
    /// Rules that no test touches
    Untouched,
}

/// Runs the tests of the configuration at `config`, or of a file.
///
/// # Errors
/// Where the configuration cannot be used, or the report cannot be written.
pub fn run(args: &TestArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let progress = Progress::start(&format!("testing {}", config.display()));
    let rehearsal = config::rehearse(&load_request(config), args.file.as_deref());
    let rehearsal = rehearsal.map_err(|problems| match &args.file {
        Some(file) => load::shown_beside(problems, file),
        None => load::shown(problems),
    })?;
    drop(progress);
    if let Some(path) = &args.junit {
        let suite = args.file.as_deref().unwrap_or(config);
        let report = junit::report(&suite.display().to_string(), &rehearsal);
        fs::write(path, report).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    match args.format {
        Format::Text => {
            let failures = config::render(&rehearsal.failures, Style::Ansi);
            anstream::stderr().lock().write_all(failures.as_bytes())?;
            print(&as_text(&rehearsal))?;
        }
        Format::Json => print(&format!("{:#}\n", as_json(&rehearsal)))?,
    }
    let report = &rehearsal.report;
    let denied = args.deny == Some(DenyUntouched::Untouched) && report.untouched().next().is_some();
    Ok(ExitCode::from(u8::from(report.failed() > 0 || denied)))
}

fn as_text(rehearsal: &Rehearsal) -> String {
    let report = &rehearsal.report;
    let (all, failed) = (counted(report.results.len(), "test"), report.failed());
    let verdict = match failed {
        _ if report.results.is_empty() => {
            "no tests: write some under `tests`, see `gatelatch test --help`".to_owned()
        }
        0 => format!("{GOOD}{all}, all as expected{GOOD:#}"),
        _ => format!("{BAD}{all}, {failed} not as expected{BAD:#}"),
    };
    let (rules, untouched) = (rules(report), report.untouched().count());
    let (touched, all) = (rules - untouched, counted(rules, "rule"));
    let mut text = format!("{verdict}\n{touched} of {all} touched by a test\n");
    for (service, rule) in report.untouched() {
        let (name, origin) = rule_at(&rehearsal.loaded.config, service, rule);
        let place = place(origin);
        text += &format!("  not touched: `{name}` {FAINT}({place}){FAINT:#}\n");
    }
    text
}

fn rules(report: &TestReport) -> usize {
    report.covered.iter().map(Vec::len).sum()
}

fn rule_at(config: &Config, service: usize, rule: RuleId) -> (&str, &Origin) {
    let service = &config.services[service];
    (
        &service.policy.rule(rule).name,
        &service.origins[rule.0 as usize],
    )
}

fn place(origin: &Origin) -> String {
    format!(
        "{}:{}:{}",
        origin.file.display(),
        origin.line,
        origin.column
    )
}

fn as_json(rehearsal: &Rehearsal) -> Value {
    let (report, config) = (&rehearsal.report, &rehearsal.loaded.config);
    let untouched = report
        .untouched()
        .map(|(service, rule)| rule_json(config, service, rule));
    json!({
        "tests": report.results.len(),
        "failed": report.failed(),
        "results": report.results.iter().map(|result| result_json(config, result)).collect::<Vec<_>>(),
        "coverage": { "rules": rules(report), "untouched": untouched.collect::<Vec<_>>() },
        "problems": config::to_json(&rehearsal.failures),
    })
}

fn result_json(config: &Config, result: &TestResult) -> Value {
    json!({
        "name": result.name,
        "file": result.origin.file.to_string_lossy(),
        "line": result.origin.line,
        "request": result.request,
        "caller": result.caller,
        "expected": result.expected.as_str(),
        "got": result.got.map(|verdict| verdict.as_str()),
        "rule": result.rule.map(|(service, rule)| rule_json(config, service, rule)),
        "failure": result.failure,
    })
}

fn rule_json(config: &Config, service: usize, rule: RuleId) -> Value {
    let (name, origin) = rule_at(config, service, rule);
    json!({
        "service": config.services[service].name,
        "name": name,
        "file": origin.file.to_string_lossy(),
        "line": origin.line,
        "column": origin.column,
    })
}
