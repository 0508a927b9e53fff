//! `gatelatch explain`: what becomes of a request, and why.

mod show;
mod subject;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use http::{Method, Uri};

use self::subject::{Subject, SubjectArgs};
use super::load;
use crate::access::{Decision, PathOptions, RequestPath};
use crate::config::{Config, Service};
use crate::token::JWKS_PATH;
use crate::wire::Host;

/// Say what becomes of a request, and why
///
/// Asks the same policy that decides requests: the rule that wins with file and line, the value of each of its
/// conditions, and the rules it beats. Nothing is sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 allowed, 3 unauthenticated, 4 forbidden, 5 refused before a rule (400, 404).

Examples:
  gatelatch explain GET /jobs
  gatelatch explain POST https://jobs.example.com/jobs --as alice@example.com
  gatelatch explain DELETE /jobs/7 --roles recruiter,admin
  gatelatch explain GET /internal/metrics --address 10.1.2.3")]
pub(super) struct Args {
    /// The method, in upper case
    method: Method,

    /// A path, or a whole URL where services have hosts
    url: String,

    #[command(flatten)]
    subject: SubjectArgs,
}

/// What the gateway would answer.
enum Verdict {
    Allowed,
    Unauthenticated,
    Forbidden,
    Refused,
}

impl Verdict {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Allowed => 0,
            Self::Unauthenticated => 3,
            Self::Forbidden => 4,
            Self::Refused => 5,
        })
    }

    fn of(decision: &Decision<'_>) -> Self {
        match decision {
            Decision::Allow(_) => Self::Allowed,
            Decision::Challenge(_) => Self::Unauthenticated,
            Decision::Forbid(_) => Self::Forbidden,
        }
    }
}

pub(super) fn run(args: &Args, path: &Path) -> anyhow::Result<ExitCode> {
    let config = load::load(path)?.config;
    let subject = args.subject.resolve(&config)?;
    let (text, verdict) = explain(&config, args, &subject)?;
    write!(anstream::stdout().lock(), "{text}")?;
    Ok(verdict.exit_code())
}

fn explain(config: &Config, args: &Args, subject: &Subject) -> anyhow::Result<(String, Verdict)> {
    let url: Uri = args.url.parse().with_context(|| format!("`{}` is no path and no URL", args.url))?;
    let widest = config.services.iter().fold(PathOptions::default(), |all, service| all.union(service.paths));
    let path = match RequestPath::parse(url.path(), widest) {
        Ok(path) => path,
        Err(error) => return Ok((format!("refused with 400: {error}\n"), Verdict::Refused)),
    };
    let own = [config.auth.path.as_str(), JWKS_PATH].into_iter().find(|own| lies_under(path.as_str(), own));
    if let Some(own) = own {
        let text = format!("`{own}` is the gateway's own: no rule is asked, nothing is forwarded\n");
        return Ok((text, Verdict::Allowed));
    }
    let host = host_of(config, &url)?;
    let Some(index) = config.router.find(&host, &path) else {
        return Ok((format!("refused with 404: no service for host `{host}` and path `{path}`\n"), Verdict::Refused));
    };
    let service = &config.services[index];
    if let Err(error) = RequestPath::parse(url.path(), service.paths) {
        return Ok((format!("refused with 400 by service `{}`: {error}\n", service.name), Verdict::Refused));
    }
    Ok(decide(service, &args.method, &path, subject))
}

fn decide(service: &Service, method: &Method, path: &RequestPath, subject: &Subject) -> (String, Verdict) {
    let explanation = service.policy.explain(method, path, &subject.caller);
    let verdict = Verdict::of(&explanation.decision);
    (show::explanation(service, method, path, subject, &explanation), verdict)
}

/// Without a host, a configuration whose services all have one cannot say which service is meant.
fn host_of(config: &Config, url: &Uri) -> anyhow::Result<String> {
    match url.authority() {
        Some(authority) => match Host::parse_name(authority.as_str()) {
            Some(name) => Ok(name.into()),
            None => bail!("`{authority}` is no host"),
        },
        None if config.services.iter().all(|service| !service.hosts.is_empty()) => {
            bail!("every service has `hosts`: give a whole URL, such as `http://jobs.example.com{}`", url.path())
        }
        None => Ok("localhost".to_owned()),
    }
}

fn lies_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
