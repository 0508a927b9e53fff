//! `gatelatch check`: loads everything and says what is wrong.

mod probe;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use self::probe::{Answers, Probe};
use super::format::Format;
use super::load_request;
use super::printing::{counted, print};
use super::terminal::{self, FAINT, Progress};
use super::words::duration;
use crate::config::{
    self, Code, Config, LINTS, Loaded, Place, Problem, Problems, Severity, Style, examine,
};

/// Say what is wrong with the configuration, and what looks wrong
///
/// Loads both files as the gateway would, runs `tests`, and shows every problem at once: file, line, column, and what to
/// write instead. What is legal and looks wrong is a warning, a lint with a name; `allow_lints: [NAME]` on a rule or a
/// service, or at the top level, silences it there. Exit code 0 where the configuration can be used, else 1.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gatelatch check
  gatelatch check --config /etc/gatelatch/gateway.yaml --deny warnings
  gatelatch check --probe --timeout 1s
  gatelatch check --format json
  gatelatch check --lints")]
pub struct CheckArgs {
    /// What ends with exit code 1 beside errors
    #[arg(long, value_name = "WHAT")]
    pub deny: Option<DenyWarnings>,
    /// Connect to every server of every service and to `state` as well, fetch the published keys of other issuers and
    /// what OpenID providers publish, and bind to and search the LDAP directory; what does not answer is a warning
    #[arg(long)]
    pub probe: bool,
    /// How long each may take to answer `--probe`
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = duration)]
    pub timeout: Duration,
    /// How problems are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// List the lints with their reasons, and check nothing
    #[arg(long)]
    pub lints: bool,
}

/// What `--deny` takes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyWarnings {
    /// Warnings as well
    Warnings,
}

/// Checks the configuration at `config`.
///
/// # Errors
/// Only where the output cannot be written.
pub fn run(args: &CheckArgs, config: &Path) -> anyhow::Result<ExitCode> {
    if args.lints {
        print(&list_lints(args.format))?;
        return Ok(ExitCode::SUCCESS);
    }
    let progress = Progress::start(&format!("checking {}", config.display()));
    let mut result = examine(&load_request(config));
    let probe = match &mut result {
        Ok(loaded) if args.probe => {
            progress.stage("connecting to the servers");
            Some(probe::probe(loaded, args.timeout)?)
        }
        Ok(_) | Err(_) => None,
    };
    drop(progress);
    let (out, err) = match args.format {
        Format::Text => as_text(args, (config, &result, probe)),
        Format::Json => (as_json((&result, probe)), String::new()),
    };
    anstream::stderr().lock().write_all(err.as_bytes())?;
    print(&out)?;
    Ok(ExitCode::from(verdict(args, &result)))
}

fn list_lints(format: Format) -> String {
    match format {
        Format::Json => {
            let lint =
                |(code, reason): &(Code, &str)| json!({ "name": code.as_str(), "reason": reason });
            format!("{:#}\n", LINTS.iter().map(lint).collect::<Value>())
        }
        Format::Text => {
            let lint = |(code, reason): &(Code, &str)| {
                let text = format!("{:<24}{reason}", code.as_str());
                terminal::wrap(&text, 24, terminal::width()) + "\n"
            };
            LINTS.iter().map(lint).collect()
        }
    }
}

type Outcome = Result<Loaded, Problems>;

/// 0 where the configuration may be used, else 1.
fn verdict(args: &CheckArgs, result: &Outcome) -> u8 {
    match result {
        // who can read the files is about this machine, and the pipeline's is another one
        Ok(loaded) => u8::from(
            args.deny == Some(DenyWarnings::Warnings)
                && loaded
                    .warnings
                    .iter()
                    .any(|one| one.code != Code::WorldReadable),
        ),
        Err(_) => 1,
    }
}

fn problems(result: &Outcome) -> &[Problem] {
    match result {
        Ok(loaded) => &loaded.warnings,
        Err(problems) => problems.as_slice(),
    }
}

/// What was asked, what a load of it gave, and what was found of its servers.
type Checked<'a> = (&'a Path, &'a Outcome, Option<Probe>);

/// What goes to standard output and to standard error. The streams take colours away where they are no terminals.
fn as_text(args: &CheckArgs, (config, result, probe): Checked<'_>) -> (String, String) {
    let (mut out, mut err) = (String::new(), config::render(problems(result), Style::Ansi));
    if result
        .as_ref()
        .is_ok_and(|loaded| !loaded.warnings.is_empty())
    {
        err += &format!(
            "{FAINT}`allow_lints: [NAME]` on a rule or a service, or at the top level, silences a lint there; \
`gatelatch check --lints` lists them{FAINT:#}\n"
        );
    }
    let path = config.display();
    match result {
        Ok(loaded) if verdict(args, result) == 0 => {
            out = format!("{path} is valid: {}\n", summary(loaded, probe));
        }
        Ok(loaded) => {
            let warnings = counted(loaded.warnings.len(), "warning");
            err += &format!("{path} has {warnings}; warnings are denied\n");
        }
        Err(problems) => {
            let warnings = problems.as_slice().len() - problems.errors();
            let warnings = if warnings == 0 {
                String::new()
            } else {
                format!(", {}", counted(warnings, "warning"))
            };
            let (files, are) = faulty(problems, config);
            let errors = counted(problems.errors(), "error");
            err += &format!("{files} {are} not valid: {errors}{warnings}\n");
        }
    }
    (out, err)
}

/// The files that hold the errors, and their verb; the configuration where an error has no place.
fn faulty(problems: &Problems, config: &Path) -> (String, &'static str) {
    let errors = problems.as_slice().iter();
    let errors = errors.filter(|problem| problem.severity == Severity::Error);
    let files: BTreeSet<&Path> = errors
        .map(|problem| problem.place.as_ref().map_or(config, Place::file))
        .collect();
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    (
        files.join(" and "),
        if files.len() > 1 { "are" } else { "is" },
    )
}

fn as_json((result, probe): (&Outcome, Option<Probe>)) -> String {
    let mut answer =
        json!({ "valid": result.is_ok(), "problems": config::to_json(problems(result)) });
    if let Ok(loaded) = result {
        let (services, rules, users) = sizes(&loaded.config);
        answer["services"] = services.into();
        answer["rules"] = rules.into();
        answer["users"] = users.into();
        answer["tests"] = loaded.tests.into();
    }
    if let Some(Probe {
        servers,
        issuers,
        providers,
        state,
        directory,
    }) = probe
    {
        answer["probe"] = json!({
            "servers": servers.asked,
            "answering": servers.answering,
            "issuers": issuers.asked,
            "answering_issuers": issuers.answering,
            "providers": providers.asked,
            "answering_providers": providers.answering,
            "state": (state.asked > 0).then_some(state.answering > 0),
            "directory": (directory.asked > 0).then_some(directory.answering > 0),
        });
    }
    format!("{answer:#}\n")
}

fn summary(loaded: &Loaded, probe: Option<Probe>) -> String {
    let (services, rules, users) = sizes(&loaded.config);
    let mut text = format!(
        "{}, {}, {}",
        counted(services, "service"),
        counted(rules, "rule"),
        counted(users, "user")
    );
    if loaded.tests > 0 {
        text += &format!(", {} as expected", counted(loaded.tests, "test"));
    }
    if let Some(Probe {
        servers,
        issuers,
        providers,
        state,
        directory,
    }) = probe
    {
        let answering = |Answers { asked, answering }: Answers, name| {
            format!(", {answering} of {} answering", counted(asked, name))
        };
        text += &answering(servers, "server");
        if issuers.asked > 0 {
            text += &answering(issuers, "issuer");
        }
        if providers.asked > 0 {
            text += &answering(providers, "provider");
        }
        for (name, Answers { asked, answering }) in [("`state`", state), ("directory", directory)] {
            if asked > 0 {
                let how = if answering > 0 { "answering" } else { "away" };
                text += &format!(", {name} {how}");
            }
        }
    }
    text
}

fn sizes(config: &Config) -> (usize, usize, usize) {
    let rules = config
        .services
        .iter()
        .map(|service| service.policy.rules().len())
        .sum();
    (config.services.len(), rules, config.directory.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for a configuration of this text: exit code, standard output, standard error.
    fn check(text: &str, args: &CheckArgs) -> (u8, String, String) {
        check_files(text, "users: { alice: {} }", args)
    }

    fn check_files(text: &str, users: &str, args: &CheckArgs) -> (u8, String, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.yaml");
        std::fs::write(&path, text).unwrap();
        std::fs::write(directory.path().join("users.yaml"), users).unwrap();
        let mut request = load_request(&path);
        request.environment.insert(
            "SECRET".to_owned(),
            "0123456789abcdef0123456789abcdef".to_owned(),
        );
        let result = config::load(&request);
        let (out, err) = match args.format {
            Format::Text => as_text(args, (Path::new("gateway.yaml"), &result, None)),
            Format::Json => (as_json((&result, None)), String::new()),
        };
        let err = anstream::adapter::strip_str(&err).to_string();
        (verdict(args, &result), out, err)
    }

    fn args(deny: Option<DenyWarnings>, format: Format) -> CheckArgs {
        CheckArgs {
            deny,
            format,
            probe: false,
            timeout: Duration::ZERO,
            lints: false,
        }
    }

    const GOOD: &str = "{ auth: { token: { secret: '${SECRET}' } }, \
        services: { app: { upstream: 'http://127.0.0.1:9', rules: [{ path: /**, allow: authenticated }] } } }";
    const WARNED: &str = "{ auth: { token: { secret: '${SECRET}' } }, \
        services: { app: { upstream: 'http://127.0.0.1:9', rules: [] } } }";

    #[test]
    fn a_good_configuration_is_summed_up() {
        let args = args(Some(DenyWarnings::Warnings), Format::Text);
        let expected = "gateway.yaml is valid: 1 service, 1 rule, 1 user\n";
        assert_eq!(check(GOOD, &args), (0, expected.to_owned(), String::new()));
    }

    #[test]
    fn warnings_count_only_where_they_are_denied() {
        let lenient = check(WARNED, &args(None, Format::Text));
        assert_eq!(lenient.0, 0);
        assert!(lenient.2.starts_with("warning[no-rules]"), "{}", lenient.2);
        let strict = check(WARNED, &args(Some(DenyWarnings::Warnings), Format::Text));
        assert_eq!(strict.0, 1);
        assert!(
            strict
                .2
                .ends_with("gateway.yaml has 1 warning; warnings are denied\n"),
            "{}",
            strict.2
        );
    }

    #[test]
    fn errors_are_counted() {
        let (code, out, err) = check("servces: {}", &args(None, Format::Text));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(
            err.ends_with("/gateway.yaml is not valid: 2 errors, 1 warning\n"),
            "{err}"
        );
    }

    #[test]
    fn the_file_that_is_not_valid_is_named() {
        let args = args(None, Format::Text);
        for (gateway, users, end) in [
            (
                GOOD,
                "users: { a: { x: 1 } }",
                "/users.yaml is not valid: 1 error\n",
            ),
            (
                "services: {}",
                "users: {}",
                "/gateway.yaml is not valid: 1 error, 1 warning\n",
            ),
            (
                "services: {}",
                "user: {}",
                "/users.yaml are not valid: 3 errors, 1 warning\n",
            ),
        ] {
            let (_, _, err) = check_files(gateway, users, &args);
            assert!(err.ends_with(end), "{err}");
        }
    }

    #[test]
    fn programs_get_json() {
        let (code, out, err) = check("services: {}", &args(None, Format::Json));
        assert_eq!((code, err.as_str()), (1, ""));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["valid"], false);
        assert_eq!(answer["problems"][1]["code"], "empty-value");
        assert_eq!(answer["problems"][1]["place"]["line"], 1);
    }
}
