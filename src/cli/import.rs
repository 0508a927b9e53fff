//! `gatelatch import`: a first configuration from an API's document.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use http::Uri;

use super::audit::{self, DocumentSource};
use super::fetch;
use super::load_request;
use super::printing::print;
use crate::analysis::openapi::{SkeletonSettings, skeleton};
use crate::config::{SERVICE_NAME_FORM, is_service_name};

/// Where requests go as long as nothing better is known.
const UPSTREAM: &str = "http://127.0.0.1:9000";

/// Write a skeleton of rules from an API's OpenAPI document
///
/// Prints a gateway.yaml with one rule for each operation of the document (OpenAPI 3, Swagger 2.0; JSON or YAML): open
/// where the document asks for nothing, for those who are signed in where it asks for security, and for roles where it
/// names scopes. Where the service itself has the document, it and the pages of Swagger UI beside it have rules too. It
/// loads as it stands, and is a proposal to read, not a decision. (The users of an htpasswd file are added by user import.)
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch import --openapi openapi.yaml > gateway.yaml
  gatelatch import --openapi http://127.0.0.1:9000/openapi.json --service jobs > gateway.yaml
  gatelatch check && gatelatch audit --openapi openapi.yaml")]
pub(super) struct ImportArgs {
    #[command(flatten)]
    source: DocumentSource,
}

/// Prints the skeleton.
///
/// # Errors
/// Where the document cannot be read.
pub(super) fn run(args: &ImportArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let DocumentSource {
        openapi,
        service,
        prefix,
    } = &args.source;
    if let Some(name) = service
        && !is_service_name(name)
    {
        bail!("`{name}` is not the name of a service; {SERVICE_NAME_FORM}");
    }
    let document = audit::document(openapi)?;
    let upstream = origin(openapi).unwrap_or_else(|| UPSTREAM.to_owned());
    let place = audit::path_of(openapi).map(|path| match prefix {
        Some(prefix) => path.below(prefix),
        None => path,
    });
    let settings = SkeletonSettings {
        source: openapi,
        service: service.as_deref(),
        upstream: &upstream,
        document: place.as_ref(),
        secret: has_variable(config, "GATELATCH_SECRET"),
        prefix: prefix.as_ref(),
    };
    let text = skeleton(&document, &settings);
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the variable is there for the configuration to be, in the environment or the `.env` beside it.
fn has_variable(config: &Path, name: &str) -> bool {
    let request = load_request(config);
    let dotenv = std::fs::read_to_string(config.with_file_name(".env")).unwrap_or_default();
    let mut set = dotenv
        .lines()
        .map(|line| line.trim_start().trim_start_matches("export "));
    request.environment.contains_key(name)
        || set.any(|line| {
            line.split('=')
                .next()
                .is_some_and(|before| before.trim() == name)
        })
}

/// Who serves its document over plain HTTP is most often the service itself.
fn origin(source: &str) -> Option<String> {
    let url: Uri = fetch::is_url(source)
        .then(|| source.parse().ok())
        .flatten()?;
    let authority = url
        .authority()
        .filter(|_| url.scheme_str() == Some("http"))?;
    Some(format!("http://{authority}"))
}
