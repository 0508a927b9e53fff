//! `gatelatch audit`: an API's operations and who can reach them.

mod json;
mod report;
mod text;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use http::Uri;

use self::report::{AuditReport, Deny};
use super::printing::print;
use super::view::{self, AtWork};
use super::{fetch, load};
use crate::analysis::openapi::{self, OpenApiDocument, PathTemplate, TemplateSegment};
use crate::config::{Config, Service};
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
    let config = load::load_to_look(path)?;
    let index = service(&config, args.source.service.as_deref())?;
    let document = document(&args.source.openapi)?;
    let host = args
        .host
        .as_deref()
        .map(|host| Host::parse(host).with_context(|| format!("`{host}` is no host")));
    let host = host.transpose()?;
    let documents = documents(&config.services[index], &args.source.openapi);
    let at_work = AtWork::of(&config);
    let view = view::configuration(&config, &at_work, |service| &service.name);
    let audit = openapi::audit(
        &view,
        index,
        &document,
        args.source.prefix.as_ref(),
        (host.as_ref().map(Host::name), &documents),
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

/// Where clients find the document: where `openapi.path` says, where the URL has it, and where FastAPI does.
fn documents(service: &Service, source: &str) -> Vec<PathTemplate> {
    let segments = service.mount.segments();
    let mount = PathTemplate {
        pieces: segments
            .map(|text| TemplateSegment::Literal(text.to_owned()))
            .collect(),
    };
    let written = service.document.as_deref().and_then(PathTemplate::read);
    let inside = [path_of(source), PathTemplate::read("/openapi.json")];
    let inside = inside.into_iter().flatten();
    let below = |path: PathTemplate| [path.below(&mount), path];
    written.into_iter().chain(inside.flat_map(below)).collect()
}

/// The path of the URL that a document is read from.
pub(super) fn path_of(source: &str) -> Option<PathTemplate> {
    let url: Uri = fetch::is_url(source)
        .then(|| source.parse().ok())
        .flatten()?;
    PathTemplate::read(url.path())
}

/// The document at a place.
pub(super) fn document(source: &str) -> anyhow::Result<OpenApiDocument> {
    let value = fetch::document(source)?;
    if value.as_str().is_some_and(is_htpasswd) {
        bail!(
            "{} is no OpenAPI document, but looks like an htpasswd file: `gatelatch user import {source}` adds its users",
            fetch::shown(source)
        );
    }
    OpenApiDocument::read(&value).with_context(|| format!("cannot read {}", fetch::shown(source)))
}

/// Lines `NAME:HASH`, which are one text to YAML.
fn is_htpasswd(text: &str) -> bool {
    let hash = text.split_once(':').map(|(_, hash)| hash);
    hash.is_some_and(|hash| hash.starts_with(['$', '{']) || hash.len() == 13)
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
