//! `gatelatch audit`: an API's operations and who can reach them.

mod json;
mod report;
mod text;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use self::report::{AuditReport, Deny};
use super::printing::print;
use super::view::{self, AtWork};
use super::{fetch, load};
use crate::analysis::openapi::{self, OpenApiDocument, PathTemplate};
use crate::config::Config;
use crate::wire::Host;

/// Hold an API's OpenAPI document against the rules
///
/// Shows every operation of the document (OpenAPI 3, Swagger 2.0; JSON or YAML) and who can reach it; what is open to
/// anyone, what no rule covers, which rules cover no operation, and where the document's own security and the rules
/// disagree. What the document says is never believed against the rules: they decide.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 where something is found that --deny names.

Examples:
  gatelatch audit --openapi openapi.yaml
  gatelatch audit --openapi http://127.0.0.1:9000/openapi.json --deny uncovered,looser
  gatelatch audit --openapi files.json --service files --prefix /files --format json")]
pub(super) struct AuditArgs {
    #[command(flatten)]
    source: DocumentSource,

    /// What ends with exit code 1
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    deny: Vec<Deny>,

    /// The host that is asked for; default: the first of the service
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// How the report is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Which document, and where it belongs.
#[derive(Debug, clap::Args)]
pub(super) struct DocumentSource {
    /// The document: a file, `-` for standard input, or a URL
    #[arg(long, value_name = "FILE|URL")]
    pub(super) openapi: String,

    /// The service that it describes; default: the only one, or a name from the document's title for `import`
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,

    /// Where clients find the document's paths, whatever its `servers` or `basePath` say
    #[arg(long, value_name = "PATH", value_parser = prefix)]
    pub(super) prefix: Option<PathTemplate>,
}

/// How the report is printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Reads, compares, prints.
///
/// # Errors
/// Where the configuration or the document cannot be read, or names no such service.
pub(super) fn run(args: &AuditArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let config = load::load(path)?.config;
    let index = service(&config, args.source.service.as_deref())?;
    let document = document(&args.source.openapi)?;
    let host = args
        .host
        .as_deref()
        .map(|host| Host::parse(host).with_context(|| format!("`{host}` is no host")));
    let host = host.transpose()?;
    let at_work = AtWork::of(&config);
    let view = view::configuration(&config, &at_work, |service| &service.name);
    let audit = openapi::audit(
        &view,
        index,
        &document,
        args.source.prefix.as_ref(),
        host.as_ref().map(Host::name),
    );
    let (service, policy) = (&config.services[index], view.services[index].policy);
    let report = AuditReport {
        config: &config,
        service,
        policy,
        document: &document,
        audit,
    };
    let text = match args.format {
        Format::Text => text::render(&report),
        Format::Json => json::render(&report),
    };
    print(&text)?;
    Ok(if args.deny.iter().any(|deny| report.has(*deny)) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// The document at a place.
pub(super) fn document(source: &str) -> anyhow::Result<OpenApiDocument> {
    let value = fetch::document(source)?;
    OpenApiDocument::read(&value).with_context(|| format!("cannot read `{source}`"))
}

fn prefix(text: &str) -> Result<PathTemplate, String> {
    PathTemplate::read(text).ok_or_else(|| format!("a path begins with a slash; write `/{text}`"))
}

fn service(config: &Config, name: Option<&str>) -> anyhow::Result<usize> {
    let names = || {
        config
            .services
            .iter()
            .map(|one| format!("`{}`", one.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (name, config.services.as_slice()) {
        (Some(name), services) => match services.iter().position(|service| service.name == name) {
            Some(index) => Ok(index),
            None => bail!("there is no service `{name}`; known: {}", names()),
        },
        (None, [_]) => Ok(0),
        (None, _) => {
            bail!(
                "there are several services: say with `--service` which one the document describes: {}",
                names()
            )
        }
    }
}
