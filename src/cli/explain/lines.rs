//! Many requests, one a line.

use std::io::BufRead;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Parser;
use serde_json::json;

use super::subject::SubjectArgs;
use super::{Question, exit_code};
use crate::analysis::simulation::{SimulatedRequest, SimulatedVerdict};
use crate::cli::format::Format;
use crate::cli::printing::{print, say};

/// What a line may say.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    method: String,
    url: String,
    #[arg(long)]
    destination: Option<String>,
    #[command(flatten)]
    subject: SubjectArgs,
}

/// Explains each line for the caller that it names, or else for `subject`. Empty lines and those that begin with `#` are
/// passed over; one that cannot be made out is said and does not end the others.
pub(super) fn explain(
    question: &Question<'_>,
    subject: &SubjectArgs,
    input: impl BufRead,
) -> anyhow::Result<ExitCode> {
    let (mut worst, mut unclear) = (0, false);
    for (index, line) in input.lines().enumerate() {
        let line = line.context("cannot read requests in UTF-8 from standard input")?;
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match answer(question, subject, &line) {
            Ok((text, verdict)) => {
                worst = worst.max(exit_code(verdict));
                print(&text)?;
            }
            Err(error) => {
                unclear = true;
                report(question.format, index + 1, &error)?;
            }
        }
    }
    Ok(ExitCode::from(if unclear { 1 } else { worst }))
}

fn answer(
    question: &Question<'_>,
    subject: &SubjectArgs,
    line: &str,
) -> anyhow::Result<(String, SimulatedVerdict)> {
    let line = Line::try_parse_from(line.split_whitespace()).map_err(|error| first_line(&error))?;
    let subject = if line.subject.is_empty() {
        subject
    } else {
        &line.subject
    };
    let subject = subject.resolve(question.config)?;
    let request = SimulatedRequest::new(&line.method, &line.url)?
        .with_destination(line.destination.as_deref());
    Ok(question.answer(&request, &subject))
}

/// clap explains at length, which is for a command line of its own.
fn first_line(error: &clap::Error) -> anyhow::Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    anyhow!(
        "{}; write `METHOD URL [--as USER]`",
        first.trim_start_matches("error: ").trim_end_matches(':')
    )
}

fn report(format: Format, number: usize, error: &anyhow::Error) -> anyhow::Result<()> {
    match format {
        Format::Text => say(&format!("error: line {number}: {error:#}")),
        Format::Json => {
            let object = json!({ "line": number, "error": format!("{error:#}") });
            print(&format!("{object}\n"))
        }
    }
}
