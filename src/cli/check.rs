//! `gatelatch check`: loads everything and says what is wrong.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use super::load_request;
use crate::config::{self, Config, Loaded, Problem, Problems, Style, load};

/// Say what is wrong with the configuration, and what looks wrong
///
/// Loads both files as the gateway would and shows every problem at once: file, line, column, and what to write
/// instead. Exit code 0 where the configuration can be used, else 1.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gatelatch check
  gatelatch check --config /etc/gatelatch/gateway.yaml --deny warnings
  gatelatch check --format json")]
pub struct Args {
    /// What ends with exit code 1 beside errors
    #[arg(long, value_name = "WHAT")]
    pub deny: Option<Deny>,
    /// How problems are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What `--deny` takes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deny {
    /// Warnings as well
    Warnings,
}

/// How problems are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Like a compiler, for people
    Text,
    /// One JSON object on standard output, for programs
    Json,
}

/// Checks the configuration at `config`.
///
/// # Errors
/// Only where the output cannot be written.
pub fn run(args: &Args, config: &Path) -> anyhow::Result<ExitCode> {
    let result = load(&load_request(config));
    let (mut out, mut err) = (anstream::stdout().lock(), anstream::stderr().lock());
    let verdict = match args.format {
        Format::Text => as_text(args, config, &result, &mut out, &mut err)?,
        Format::Json => as_json(args, &result, &mut out)?,
    };
    Ok(ExitCode::from(verdict))
}

type Outcome = Result<Loaded, Problems>;

/// 0 where the configuration may be used, else 1.
fn verdict(args: &Args, result: &Outcome) -> u8 {
    match result {
        Ok(loaded) => u8::from(args.deny == Some(Deny::Warnings) && !loaded.warnings.is_empty()),
        Err(_) => 1,
    }
}

fn problems(result: &Outcome) -> &[Problem] {
    match result {
        Ok(loaded) => &loaded.warnings,
        Err(problems) => problems.as_slice(),
    }
}

/// The streams take colours away where they are no terminals.
fn as_text(args: &Args, path: &Path, result: &Outcome, out: &mut impl Write, err: &mut impl Write) -> io::Result<u8> {
    err.write_all(config::render(problems(result), Style::Ansi).as_bytes())?;
    let verdict = verdict(args, result);
    let path = path.display();
    match result {
        Ok(loaded) if verdict == 0 => writeln!(out, "{path} is valid: {}", summary(&loaded.config))?,
        Ok(loaded) => writeln!(err, "{path} has {}; warnings are denied", counted(loaded.warnings.len(), "warning"))?,
        Err(problems) => {
            let warnings = problems.as_slice().len() - problems.errors();
            let warnings = if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) };
            writeln!(err, "{path} is not valid: {}{warnings}", counted(problems.errors(), "error"))?;
        }
    }
    Ok(verdict)
}

fn as_json(args: &Args, result: &Outcome, out: &mut impl Write) -> io::Result<u8> {
    let mut answer = json!({ "valid": result.is_ok(), "problems": config::to_json(problems(result)) });
    if let Ok(loaded) = result {
        let (services, rules, users) = sizes(&loaded.config);
        answer["services"] = services.into();
        answer["rules"] = rules.into();
        answer["users"] = users.into();
    }
    writeln!(out, "{answer:#}")?;
    Ok(verdict(args, result))
}

fn summary(config: &Config) -> String {
    let (services, rules, users) = sizes(config);
    format!("{}, {}, {}", counted(services, "service"), counted(rules, "rule"), counted(users, "user"))
}

fn sizes(config: &Config) -> (usize, usize, usize) {
    let rules = config.services.iter().map(|service| service.policy.rules().len()).sum();
    (config.services.len(), rules, config.directory.users().count())
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for a configuration of this text: exit code, standard output, standard error.
    fn check(text: &str, args: &Args) -> (u8, String, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.yaml");
        std::fs::write(&path, text).unwrap();
        std::fs::write(directory.path().join("users.yaml"), "users: { alice: {} }").unwrap();
        let mut request = load_request(&path);
        request.environment.insert("SECRET".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
        let result = load(&request);
        let (mut out, mut err) = (Vec::new(), anstream::StripStream::new(Vec::new()));
        let code = match args.format {
            Format::Text => as_text(args, Path::new("gateway.yaml"), &result, &mut out, &mut err),
            Format::Json => as_json(args, &result, &mut out),
        };
        (code.unwrap(), String::from_utf8(out).unwrap(), String::from_utf8(err.into_inner()).unwrap())
    }

    const GOOD: &str = "{ auth: { token: { secret: '${SECRET}' } }, \
        services: { app: { upstream: 'http://127.0.0.1:9', rules: [{ path: /**, allow: authenticated }] } } }";
    const WARNED: &str = "{ auth: { token: { secret: '${SECRET}' } }, \
        services: { app: { upstream: 'http://127.0.0.1:9', rules: [] } } }";

    #[test]
    fn a_good_configuration_is_summed_up() {
        let args = Args { deny: Some(Deny::Warnings), format: Format::Text };
        let expected = "gateway.yaml is valid: 1 service, 1 rule, 1 user\n";
        assert_eq!(check(GOOD, &args), (0, expected.to_owned(), String::new()));
    }

    #[test]
    fn warnings_count_only_where_they_are_denied() {
        let lenient = check(WARNED, &Args { deny: None, format: Format::Text });
        assert_eq!(lenient.0, 0);
        assert!(lenient.2.starts_with("warning[no-rules]"), "{}", lenient.2);
        let strict = check(WARNED, &Args { deny: Some(Deny::Warnings), format: Format::Text });
        assert_eq!(strict.0, 1);
        assert!(strict.2.ends_with("gateway.yaml has 1 warning; warnings are denied\n"), "{}", strict.2);
    }

    #[test]
    fn errors_are_counted() {
        let (code, out, err) = check("servces: {}", &Args { deny: None, format: Format::Text });
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.ends_with("gateway.yaml is not valid: 2 errors, 1 warning\n"), "{err}");
    }

    #[test]
    fn programs_get_json() {
        let (code, out, err) = check("services: {}", &Args { deny: None, format: Format::Json });
        assert_eq!((code, err.as_str()), (1, ""));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["valid"], false);
        assert_eq!(answer["problems"][1]["code"], "empty-value");
        assert_eq!(answer["problems"][1]["place"]["line"], 1);
    }
}
